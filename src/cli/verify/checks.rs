//! Checks of the chain that a verdict rests on, beside those of the contract.

crate::checks! {
    CHAIN = "verify.chain": "the trusted registry's chain can be asked, and its endpoints agree";
    CODE = "verify.code": "the endpoints speak for the trusted chain, and the trusted code stands at the registry's address";
    HEAD = "verify.head": "the newest block is no older than ten minutes, so that no end is overlooked";
}
