use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::future::{BoxFuture, Shared};
use futures::stream::{BoxStream, Stream};
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::places::Held;
use super::source::Found;
use crate::encoding::{Digest, Hasher};
use crate::http::doors::Line;
use crate::node::{Delivery, Gatekeeper, Standing};

/// How long a body that is cut is left to its reader to see, before the line is hung up.
const GRACE: Duration = Duration::from_secs(1);

/// A body on its way out: cut when its contract is shut, and settled when it is dropped, whether it went through or not.
pub(super) struct Outgoing {
    bytes: BoxStream<'static, std::io::Result<Bytes>>,
    cut: Shared<BoxFuture<'static, ()>>,
    sent: u64,
    expected: Option<u64>,
    /// Of a body that has to have the asset's digest.
    hasher: Option<Hasher>,
    ended: bool,
    delivery: Option<(Arc<Gatekeeper>, Delivery)>,
    /// Says when this is over.
    _over: DropGuard,
    _place: Held,
}

impl Outgoing {
    pub(super) fn new(gatekeeper: Arc<Gatekeeper>, delivery: Delivery, found: Found, place: Held) -> Self {
        let standing = delivery.standing.clone();
        let mut outgoing = Self::unsigned(standing, found, place);
        outgoing.delivery = Some((gatekeeper, delivery));
        outgoing
    }

    /// A body that nobody signs a receipt for.
    pub(super) fn unsigned(standing: watch::Receiver<Standing>, found: Found, place: Held) -> Self {
        Self {
            bytes: found.bytes,
            cut: cut(standing).boxed().shared(),
            sent: 0,
            expected: found.length,
            hasher: found.whole.then(Hasher::default),
            ended: false,
            delivery: None,
            _over: CancellationToken::new().drop_guard(),
            _place: place,
        }
    }

    /// The same, cut by something else as well.
    pub(super) fn cut_also_by(mut self, standing: watch::Receiver<Standing>) -> Self {
        let before = self.cut.clone();
        self.cut = async move {
            tokio::select! {
                () = before => {}
                () = cut(standing) => {}
            }
        }
        .boxed()
        .shared();
        self
    }

    /// The same, on a line that is hung up when it is cut: whose buffers are full is asked for nothing more, so that a
    /// reader who takes nothing would never see the cut.
    pub(super) fn on(mut self, line: Option<Line>) -> Self {
        let Some(line) = line else { return self };
        let (over, cut) = (CancellationToken::new(), self.cut.clone());
        self._over = over.clone().drop_guard();
        tokio::spawn(over.run_until_cancelled_owned(async move {
            cut.await;
            tokio::time::sleep(GRACE).await;
            line.hang_up.cancel();
        }));
        self
    }

    pub(super) fn into_body(self) -> Body {
        Body::from_stream(self)
    }

    /// Whether everything was handed over.
    fn whole(&self) -> bool {
        self.expected.map_or(self.ended, |expected| self.sent == expected)
    }
}

/// Ends once a standing cuts what runs.
async fn cut(mut standing: watch::Receiver<Standing>) {
    // A sender that is gone tells nothing any more, least of all that all is well.
    let _ = standing.wait_for(|standing| standing.cuts()).await;
}

impl Stream for Outgoing {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let cut = || std::io::Error::other("the contract opens the gate no longer");
        if !self.whole() && self.cut.poll_unpin(context).is_ready() {
            return Poll::Ready(Some(Err(cut())));
        }
        let chunk = std::task::ready!(self.bytes.poll_next_unpin(context));
        match &chunk {
            Some(Ok(bytes)) => {
                self.sent = self.sent.saturating_add(bytes.len() as u64);
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(bytes);
                }
            }
            Some(Err(cause)) => tracing::error!(%cause, "the data's source broke off"),
            None => self.ended = true,
        }
        Poll::Ready(chunk)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let (Some((gatekeeper, delivery)), Ok(runtime)) = (self.delivery.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let sent = self.sent;
        if self.whole() {
            let digest: Option<Digest> = self.hasher.take().map(Hasher::finish);
            runtime.spawn(async move { gatekeeper.delivered(delivery, sent, digest).await });
        } else {
            runtime.spawn(async move { gatekeeper.broke_off(delivery, sent).await });
        }
    }
}
