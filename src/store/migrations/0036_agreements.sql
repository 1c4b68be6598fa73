-- A transfer finds the negotiation that its agreement is from by the agreement's id.
CREATE INDEX plain_events_agreed ON plain_events (event ->> '$.said.word.agreement."@id"')
    WHERE event ->> '$.said.word.kind' = 'agreement';
