use crate::check::Refusal;
use crate::encoding::Timestamp;
use crate::gate::{Grant, Usage, checks};
use crate::node::{COPY, NodeFault, Store, copied};

/// More uses than any terms allow.
const ALL_USED: u64 = u32::MAX as u64;

/// A gate that was restored from a copy does not know what was used under the original.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    /// Contracts made from here on were never used under the original; `None`: none is certain.
    from: Option<Timestamp>,
}

impl Copied {
    /// Whether the store is a restored copy.
    pub(super) async fn of(store: &dyn Store) -> Result<Option<Self>, NodeFault> {
        let mark = store.one(COPY, COPY).await?;
        Ok(mark.map(|mark| Self { from: copied::used_from(&mark) }))
    }

    /// Holds an older contract to the worst that may have happened: all of its uses, the first as early as can be; the
    /// time that it leaves is the time that there is.
    pub(super) fn hold(
        &self,
        grant: Grant,
        admit: impl FnOnce(Usage) -> Result<Grant, Refusal>,
    ) -> Result<Grant, Refusal> {
        if self.from.is_some_and(|from| grant.since > from) {
            return Ok(grant);
        }
        let worst = Usage { uses: ALL_USED, first_use: Some(grant.since) };
        let worst = admit(worst).map_err(|_| {
            checks::COPIED.refuse(
                "this gate was restored from a copy and does not know how often, or since when, the contract was used; \
                 it opens for contracts made since, and for terms that do not rest on uses",
            )
        })?;
        let until = [grant.until, worst.until].into_iter().flatten().min();
        Ok(Grant { until, ..grant })
    }
}
