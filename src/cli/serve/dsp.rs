use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::house::{Ground, House};
use crate::courier::{AddressPolicy, DspMessenger};
use crate::http::{self, Share};
use crate::node::dsp::{Agreed, Connector, DspSettings, Parts, Script, introduce};
use crate::node::transfers::{Plan, Post, TransferSettings, Transfers};

/// Puts the Dataspace Protocol into the house.
pub(super) fn move_in(house: &mut House, ground: &Ground<'_>, settings: &DspSettings) -> Result<()> {
    let Some(wallet) = house.wallet.clone() else {
        bail!("[dsp] needs a [wallet]: it offers what the wallet lists");
    };
    let script = match &settings.script {
        None => Script::default(),
        Some(file) => {
            let path = ground.home.dir().join(file);
            let text = fs::read(&path).with_context(|| format!("cannot read [dsp] script {}", path.display()))?;
            serde_json::from_slice(&text).with_context(|| format!("[dsp] script {} does not read", path.display()))?
        }
    };
    for door in &script.doors {
        let path = &door.path;
        if !path.starts_with('/') || path.starts_with("/api/") || path.contains(['{', '*']) {
            bail!("[dsp] script: a door has a plain path that begins with `/` and not with `/api/`, not `{path}`");
        }
    }
    for known in &settings.literal {
        let who = &known.participant;
        tracing::error!(participant = %who, "[[dsp.literal]]: whoever sends a fixed text counts as this participant");
        eprintln!(
            "countersign: WARNING: [[dsp.literal]] takes anybody for {who} who sends a fixed text: no proof at all"
        );
    }
    if settings.plain.0.iter().any(|name| name == "*") {
        eprintln!("countersign: WARNING: [dsp] plain = [\"*\"] negotiates unsigned agreements with anybody");
    }
    let plan = script.plan();
    let policy = AddressPolicy { private_networks: ground.configuration.network.private };
    let connector = Arc::new(Connector::new(Parts {
        signer: Arc::clone(&ground.signer),
        settings: settings.clone(),
        script,
        public_url: ground.public_url.to_owned(),
        store: Arc::clone(&ground.plain),
        kept: Arc::clone(&ground.store),
        messenger: Arc::new(DspMessenger::new(policy)?),
    })?);
    introduce(&wallet, &connector);
    // One share for each address, whichever part of the protocol it speaks.
    let strangers = http::Strangers::new(Share::default());
    house.dsp = http::dsp_router(Arc::clone(&connector), strangers.clone());
    house.management = std::mem::take(&mut house.management).merge(http::dsp_api(Arc::clone(&connector)));
    let mut loops = connector.run();
    house.loops.spawn(async move { while loops.join_next().await.is_some() {} });
    transfers(house, ground, settings, plan, (&connector, strangers));
    Ok(())
}

/// Puts transfers beside it: of what this node's own gate guards, and of others' data.
fn transfers(
    house: &mut House,
    ground: &Ground<'_>,
    settings: &DspSettings,
    plan: Plan,
    beside: (&Arc<Connector>, http::Strangers),
) {
    let (connector, strangers) = beside;
    let gate = ground.configuration.gate.iter();
    let guarded = gate
        .flat_map(|gate| gate.assets.iter().map(|asset| (asset.id.clone(), format!("{}{}", gate.origin, asset.path))));
    let desk = Transfers::new(
        TransferSettings {
            callback: connector.base().to_owned(),
            guarded: guarded.collect(),
            plain_for: settings.opens_data_to.iter().map(ToString::to_string).collect(),
            plan,
        },
        Arc::clone(&ground.transfers),
        Arc::new(Agreed::new(Arc::clone(connector), Arc::clone(&ground.transfers))),
        Arc::clone(connector) as Arc<dyn Post>,
    );
    let endpoints = http::transfer_router(Arc::clone(connector), Arc::clone(&desk), strangers);
    house.dsp = std::mem::take(&mut house.dsp).merge(endpoints);
    house.management = std::mem::take(&mut house.management).merge(http::transfer_api(Arc::clone(&desk)));
    let mut loops = desk.run();
    house.loops.spawn(async move { while loops.join_next().await.is_some() {} });
    house.transfers = Some(desk);
}
