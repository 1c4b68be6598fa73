//! Checks of the contract credential and everything it rests on.

crate::checks! {
    ACCOUNT = "account.form": "an account is 0x and 40 lowercase hexadecimal digits";
    REGISTRY_URN = "registry.urn": "a registry is named by an EVES-007 URN of an eip155 chain";
    CONTRACT_ID = "contract.id": "a contract id is urn:uuid: and a lowercase UUID that is not nil";
}
