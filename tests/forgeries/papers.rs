//! Participant credentials, approvals, key statements, terminations.

use serde_json::json;

use super::{Forgery, consumer, counterparty, forgery, hold, reader};
use crate::forge::{OFFERED, Who, members};

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("participant.claims", "the provider's credential says more than it may", consumer, |forge| {
        forge.provider_paper = Some(|token| token.claims["status"] = json!({}));
    }),
    forgery("participant.claims", "the provider's credential names no country", consumer, |forge| {
        forge.provider_paper = Some(|token| drop(members(&mut token.claims).remove("country")));
    }),
    forgery("participant.claims", "the provider's country is no country's code", consumer, |forge| {
        forge.provider_paper = Some(|token| token.claims["country"] = "Germany".into());
    }),
    forgery("participant.claims", "the provider's credential comes with a disclosure", consumer, |forge| {
        forge.provider_paper_text = Some(|text| text.push_str("WyJzYWx0Iiwic2FsdCIsMV0~"));
    }),
    forgery("participant.vct", "the provider's credential is of another type", consumer, |forge| {
        forge.provider_paper = Some(|token| token.claims["vct"] = "urn:countersign:participant:2".into());
    }),
    forgery("participant.issuer", "a stranger vouches for the provider", consumer, |forge| {
        forge.provider_paper = Some(|token| {
            token.claims["iss"] = json!(Who::Stranger.did());
            token.header["kid"] = json!(Who::Stranger.kid());
            token.by = Who::Stranger;
        });
    }),
    forgery("participant.issuer", "the consumer vouches for itself", consumer, |forge| {
        forge.consumer_paper = Some(|token| {
            token.claims["iss"] = json!(Who::Consumer.did());
            token.header["kid"] = json!(Who::Consumer.kid());
            token.by = Who::Consumer;
        });
    }),
    forgery(
        "participant.window",
        "the provider's credential ran out when the contract was recorded",
        reader,
        |forge| {
            forge.provider_paper = Some(|token| token.claims["exp"] = (OFFERED + 600).into());
        },
    ),
    forgery(
        "participant.window",
        "the consumer's credential begins after the contract was recorded",
        reader,
        |forge| {
            forge.consumer_paper = Some(|token| token.claims["nbf"] = (OFFERED + 601).into());
        },
    ),
    forgery("template.issuer", "a stranger approves the template", consumer, |forge| {
        forge.approval = Some(|token| {
            token.header["kid"] = json!(Who::Stranger.kid());
            token.by = Who::Stranger;
        });
    }),
    forgery("template.issuer", "the provider approves its own template", consumer, |forge| {
        forge.approval = Some(|token| {
            token.header["kid"] = json!(Who::Provider.kid());
            token.by = Who::Provider;
        });
    }),
    forgery("template.window", "the template ran out when the contract was recorded", reader, |forge| {
        forge.template = Some(|template| template["exp"] = (OFFERED + 600).into());
    }),
    forgery("statement.claims", "the key statement says more than it may", consumer, |forge| {
        forge.statement = Some(|token| token.claims["scope"] = "all".into());
    }),
    forgery("statement.window", "the key statement ran out when the offer was made", consumer, |forge| {
        forge.statement = Some(|token| token.claims["exp"] = OFFERED.into());
    }),
    forgery("statement.window", "the key statement begins after the offer was made", consumer, |forge| {
        forge.statement = Some(|token| token.claims["iat"] = (OFFERED + 1).into());
    }),
    forgery("statement.parties", "the key statement was made to somebody else", consumer, |forge| {
        forge.statement = Some(|token| token.claims["aud"] = json!(Who::Stranger.did()));
    }),
    forgery(
        "statement.parties",
        "somebody else makes the key statement, with a key that the consumer uses too",
        consumer,
        |forge| {
            forge.consumer_paper =
                Some(|token| token.claims["keys"] = json!([Who::Consumer.thumbprint(), Who::Stranger.thumbprint()]));
            forge.statement = Some(|token| {
                token.claims["iss"] = json!(Who::Stranger.did());
                token.header["kid"] = json!(Who::Stranger.kid());
                token.by = Who::Stranger;
            });
        },
    ),
    forgery("statement.key", "the key statement is about another key", consumer, |forge| {
        forge.statement = Some(|token| token.claims["jkt"] = Who::Stranger.thumbprint());
    }),
    forgery("termination.claims", "the termination says more than it may", counterparty, |forge| {
        forge.termination = Some(|token| token.claims["refund"] = true.into());
    }),
    forgery(
        "termination.claims",
        "the consumer signs the provider's termination in its own name",
        counterparty,
        |forge| {
            forge.termination = Some(|token| {
                token.claims["iss"] = json!(Who::Consumer.did());
                token.header["kid"] = json!(Who::Consumer.kid());
                token.by = Who::Consumer;
            });
        },
    ),
];

#[test]
fn papers_that_do_not_carry_are_refused() {
    hold(FORGERIES);
}
