//! Checks of transfers: who may move one, and how.

crate::checks! {
    MESSAGE = "transfer.message": "a message has the members that the schema of its type has, in their types";
    PIDS = "transfer.pids": "a message names the transfer by the pids that both sides know";
    STATE = "transfer.state": "the message or the command is one of the arrows that leave this state for its sender";
    TERMINAL = "transfer.terminal": "nothing moves a transfer that is COMPLETED or TERMINATED";
    ADDRESS = "transfer.address": "the first start of a pull says where the data is, as an http or https URL";
    FORMAT = "transfer.format": "the format is HttpData-PULL, without an address to push to";
    CALLBACK = "transfer.callback": "a callback address is an http or https URL that this node may call, without query, fragment, user name or password";
    AGREEMENT = "transfer.agreement": "the agreement is FINALIZED here, with this counterparty, in these roles";
    PLAIN = "transfer.plain": "an unsigned agreement opens data only to counterparties that the configuration names";
    COUNTED = "transfer.counted": "terms that count uses open nothing by a transfer: nobody presents anything that could be counted";
    OPEN_AT_ONCE = "transfer.open-at-once": "at most a thousand transfers of an agreement are open at a time";
    GUARDED = "transfer.guarded": "the agreement's asset is one that this node's gate guards";
    OPEN = "transfer.open": "a transfer's token opens its own asset, while the transfer is STARTED and its agreement stands";
}
