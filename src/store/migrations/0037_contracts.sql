-- A transfer finds the negotiation that its contract is from by the contract's id.
CREATE INDEX events_accepted ON events (event ->> '$.core.contract_id')
    WHERE json_valid(event) AND event ->> '$.event' = 'accepted';
