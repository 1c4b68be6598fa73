//! Checks of fee statements and of what they are held against.

crate::checks! {
    STATEMENT = "operator.statement": "a fee statement has exactly iss, from, until, iat, contracts, participant and templates, each well-formed, of at most 8 MiB, 4096 contracts and 256 templates";
    SIGNER = "operator.signer": "the member that the participant credential is about made the statement, with a key that the credential lists";
    PERIOD = "operator.period": "a statement's period begins before it ends, and had ended when the statement was made, which is not in the future";
    FINAL = "operator.final": "the whole period lies below the finalised head";
    PROVIDER = "operator.provider": "whoever states a contract is its provider";
    REGISTRY = "operator.registry": "a stated contract stands in the registry that the operator reads";
    DUPLICATE = "operator.duplicate": "a contract is stated once";
    ENTRY = "operator.entry": "a stated contract has an entry in a finalised block";
    TIME = "operator.time": "the entry's block time lies in the period: not before from, before until";
    RECORDER = "operator.recorder": "the recorder stands in a participant credential of the provider that is valid at the block time";
    TEMPLATE = "operator.template": "the approval of the template that the offer names by id and hash comes with the statement";
    FEE = "operator.fee": "the fee is disclosed";
    OVERSHARED = "operator.overshared": "nothing but the fee is disclosed";
    MISSING = "operator.missing": "every entry of the provider's recorders in the period is stated";
    RECEIPT = "operator.receipt": "a receipt has exactly its claims, is made by the operator that it is expected of, to the provider, about this statement";
}
