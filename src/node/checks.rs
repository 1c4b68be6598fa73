//! Checks of what a node receives, before it is a matter of the negotiation.

crate::checks! {
    MESSAGE = "message.form": "a message has the type, the body and the attachments of its kind";
    SENDER = "message.sender": "the participant credential in a request is the sender's, by an operator that this node pins, and lists the key that signed";
    MODE = "message.mode": "the negotiation is in credential mode";
    THREAD = "message.thread": "thid is the pid of whoever began";
    COPIED = "negotiation.held": "what was open when a store was copied is not accepted, offered or recorded from the restored copy";
    RATE = "message.rate": "a sender sends no more than its share";
    NAME = "contact.name": "a contact's name is 1 to 64 letters that mean one contact, and neither a DID nor an option";
    INTRODUCTION = "contact.introduction": "somebody else becomes a contact by exactly one of a signed contact, an invitation and a did:web";
    NEWEST = "contact.newest": "a contact that somebody adds by hand says nothing else than what its party has said later";
    ACQUAINTED = "contact.known": "a message about where its sender is reached now is heard of a contact; whoever negotiates here is one";
    REACH = "contact.reach": "a did:web party's document names a DIDComm inbox, and a key to seal messages for";
    KEY_NAME = "key.name": "a key to the management interface has a name of its own and a scope";
    CLOCK = "clock.right": "this machine's clock and the newest block agree within five minutes";
    MEMBER = "mediation.member": "whoever picks up, or changes or asks for recipients, was granted mediation";
    LINE = "mediation.connection": "a lasting connection to a mediator is one party's, and nobody has more of them than the share";
    ADDRESS = "address.private": "no request goes to a private network unless the configuration allows it";
}
