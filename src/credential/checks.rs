//! Checks of the contract credential and everything it rests on.

crate::checks! {
    ACCOUNT = "account.form": "an account is 0x and 40 lowercase hexadecimal digits";
    REGISTRY_URN = "registry.urn": "a registry is named by an EVES-007 URN of an eip155 chain";
    CONTRACT_ID = "contract.id": "a contract id is urn:uuid: and a lowercase UUID that is not nil";

    SD_FORM = "sdjwt.form": "an SD-JWT is <issuer JWT>~<disclosures>~ with a KB-JWT after the last tilde only where one belongs, of at most 256 KiB and 256 disclosures";
    SD_ALG = "sdjwt.alg": "_sd_alg is sha-256 and stands at the top level only";
    SD_DISCLOSURE = "sdjwt.disclosure": "a disclosure is a JSON array of salt, name and value under _sd, of salt and value under ...";
    SD_NAME = "sdjwt.name": "no disclosure is named _sd or ..., and neither stands where no digest belongs";
    SD_NAME_TAKEN = "sdjwt.name.taken": "a disclosed name is not there already";
    SD_DIGEST = "sdjwt.digest": "a digest is the base64url of 32 bytes";
    SD_DIGEST_TWICE = "sdjwt.digest.twice": "no digest is met twice";
    SD_UNEXPLAINED = "sdjwt.disclosure.unexplained": "every disclosure is named by a digest";
    SD_DEPTH = "sdjwt.depth": "disclosures are nested at most 32 levels deep";
    SD_OPEN = "sdjwt.open": "iss, nbf, exp, cnf, vct, aka_vcts and status do not come from a disclosure";
    SD_WINDOW = "sdjwt.window": "the credential is valid at the time it is judged at: not before nbf, before exp";
    KB_PRESENT = "kb.present": "key binding is there where it is required";
    KB_CLAIMS = "kb.claims": "a KB-JWT has iat, one aud, nonce and sd_hash";
    KB_AUD = "kb.aud": "aud is the one that was asked for";
    KB_NONCE = "kb.nonce": "nonce is the one that was asked for";
    KB_HASH = "kb.hash": "sd_hash is the hash of the text that precedes the KB-JWT";

    HOLDER_KEY = "holder.key": "acceptance and presentations are signed by the contract's own one-time key";

    PARTICIPANT_CLAIMS = "participant.claims": "a participant credential has exactly its claims, no disclosures and no key binding";
    PARTICIPANT_VCT = "participant.vct": "vct names a participant credential";
    PARTICIPANT_ISSUER = "participant.issuer": "a pinned operator signed the participant credential, or the party itself is pinned";
    PARTICIPANT_WINDOW = "participant.window": "the participant credential is valid at the time it is judged at";
    TEMPLATE_ISSUER = "template.issuer": "a pinned operator approved the template, or the parties are pinned themselves";
    TEMPLATE_WINDOW = "template.window": "the approved template is valid at the time it is judged at";
    STATEMENT_CLAIMS = "statement.claims": "a key statement has exactly iss, aud, negotiation, jkt, iat and exp";
    STATEMENT_WINDOW = "statement.window": "the key statement is valid at the offer's iat";
    STATEMENT_PARTIES = "statement.parties": "the consumer made the key statement, to the provider";
    STATEMENT_KEY = "statement.key": "the key statement is about the key in cnf";

    OFFER_CLAIMS = "offer.claims": "an offer has exactly its open claims, each well-formed";
    OFFER_VCT = "offer.vct": "vct names a contract offer";
    OFFER_CNF = "offer.cnf": "cnf is there and holds exactly one public jwk";
    OFFER_NONCE = "offer.nonce": "negotiation_nonce has 22 to 256 printable characters, so that 128 random bits fit in";
    OFFER_WINDOWS = "offer.windows": "iat < accept_by <= record_by < exp";
    OFFER_KEY_PROVIDER = "offer.key.provider": "the consumer's one-time key is not the key that signed the offer";
    OFFER_KEY_FRESH = "offer.key.fresh": "the consumer's one-time key is made for the contract: it stands in no participant credential and signs no statement about itself";
    OFFER_HIDDEN = "offer.digest.hidden": "there are exactly nine digests and each is explained by a disclosure";
    OFFER_DISCLOSURES = "offer.disclosures": "the disclosures are exactly the nine, one each";
    OFFER_SALT = "offer.salt": "a salt has 22 to 256 printable characters, so that 128 random bits fit in, and no two are the same";
    OFFER_NESTED = "offer.nested": "no disclosed value holds _sd or ...";
    OFFER_VALUE = "offer.value": "each disclosed value has exactly its members, each well-formed";
    OFFER_ASSET = "offer.asset": "an asset has an id, a lowercase hexadecimal SHA-256, either a size or a version, and an http(s) endpoint";
    OFFER_PARTIES = "offer.parties": "the provider is iss, the consumer is somebody else, and promisor and promisee are these two";
    OFFER_PARTICIPANTS = "offer.participants": "the participant credentials are those that the offer names, about its parties";
    OFFER_KEYS = "offer.keys": "the keys that signed offer and key statement stand in the participant credentials";
    OFFER_RECORDER = "offer.recorder": "the recorder stands in the provider's participant credential, on the registry's chain";
    OFFER_REGISTRY = "offer.registry": "the registry is one that is trusted";
    OFFER_TEMPLATE = "offer.template": "the offer names the approved template by id and hash";
    OFFER_EARLY = "offer.early": "the offer was not made in the future";
    OFFER_LATE = "offer.late": "accept_by has not passed";
    OFFER_ASKED_PARTIES = "offer.asked.parties": "provider, consumer, promisor and promisee are those that were asked for";
    OFFER_ASKED_ASSET = "offer.asked.asset": "the asset is the one that was asked for";
    OFFER_ASKED_NEGOTIATION = "offer.asked.negotiation": "the offer belongs to this negotiation";
    OFFER_ASKED_KEY = "offer.asked.key": "cnf is the key that was asked with";

    ACCEPTANCE_CLAIMS = "acceptance.claims": "an acceptance's payload is exactly that of protocol section 4";
    ACCEPTANCE_OFFER = "acceptance.offer": "the acceptance names this very offer and contract";
    ACCEPTANCE_HASH = "acceptance.hash": "transaction_data_hashes is the one hash of the canonical acceptance";
    ACCEPTANCE_TIME = "acceptance.time": "the acceptance was signed after the offer and by accept_by";
    ACCEPTANCE_LATE = "acceptance.late": "the acceptance arrived by accept_by";
    CORE_FORM = "core.form": "a core is <issuer JWT>~<acceptance KB-JWT> without disclosures";

    RULE_REGISTRY = "rule.registry": "the entry was looked up in the registry that the offer names";
    RULE_CHAIN = "rule.chain": "the entry was looked up on the chain that the offer names";
    RULE_RECORDER = "rule.recorder": "the entry was looked up and stands under the recorder that the offer names";
    RULE_CONTRACT = "rule.contract": "the entry was looked up under the contract's id";
    RULE_MISSING = "rule.entry.missing": "an entry stands in the registry";
    RULE_FINAL = "rule.final": "the entry stands in a finalised block";
    RULE_HASH = "rule.hash": "the recorded hash is the hash of the core";
    RULE_TIME = "rule.time": "the entry's block is no later than record_by";
    RULE_ENDED = "rule.ended": "the recorder had not ended the contract before the entry";
    RULE_WITHDRAWN = "rule.withdrawn": "the withdrawal account had not withdrawn before the entry";
    FORCE_ENDED = "force.ended": "the contract has not been ended";
    FORCE_WITHDRAWN = "force.withdrawn": "the consumer has not withdrawn";
    FORCE_EXPIRED = "force.expired": "exp has not passed";

    PRESENTATION_FORM = "presentation.form": "a presentation is of the contract's own issuer JWT, each disclosure at most once";
    PRESENTATION_CLAIMS = "presentation.claims": "a presentation's KB-JWT has exactly iat, aud, nonce and sd_hash, so that no acceptance opens a gate";
    PRESENTATION_NONCE = "presentation.nonce": "a presentation's nonce is not the negotiation's";
    PRESENTATION_TIME = "presentation.time": "a presentation was signed within the last five minutes";
    PRESENTATION_ORIGIN = "presentation.origin": "the wallet signs only for the origin of the asset's endpoint";

    ENTRY_CLAIMS = "acknowledgement.claims": "an acknowledgement has exactly its claims";
    ENTRY_AGREES = "acknowledgement.entry": "an acknowledgement is about this core and this entry";
    TERMINATION_CLAIMS = "termination.claims": "a termination has exactly its claims";

    FILE_FORM = "file.form": "a contract file is of a known format and shape";
    FILE_CONTRACT = "file.contract": "the file's contract id is the core's";
    FILE_DISCLOSURES = "file.disclosures": "the file's disclosures are the nine, in their order";
    FILE_ENTRY_HASH = "entry.hash": "the stated entry's hash is the hash of the core";
    FILE_ENTRY_RECORDER = "entry.recorder": "the stated entry's recorder is the offer's";
    FILE_ENTRY_REGISTRY = "entry.registry": "the stated entry's registry is the offer's";
    FILE_ENTRY_CHAIN = "entry.chain": "the stated entry's chain is the offer's";
    FILE_ENTRY_TIME = "entry.time": "the stated entry's block is no later than record_by";
    FILE_ENTRY_STATED = "entry.stated": "the entry that the file states is the one that stands in the registry, block, time and transaction included";
    FILE_ACKNOWLEDGED = "file.acknowledgements": "acknowledgements are the consumer's, then the provider's, by keys in their participant credentials";
    FILE_HISTORY = "file.history": "each message of the history is a JWS of one party, in its own name, by a key in its participant credential";
    TRUST_KEY = "trust.key": "a key in the trust is a P-256 or Ed25519 key of a did:web that the trust names";
}
