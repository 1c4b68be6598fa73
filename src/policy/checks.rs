//! Checks of amounts, terms, templates and fees.

crate::checks! {
    AMOUNT = "amount.syntax": "an amount is a decimal text of 1 to 15 digits and at most 6 decimals, without sign, exponent or superfluous zero in front";
    AMOUNT_CURRENCY = "amount.currency": "a currency is an active ISO 4217 code, or XTZ";
    AMOUNT_SAME = "amount.currency.same": "amounts are only added or compared in one currency";
    AMOUNT_RANGE = "amount.range": "a sum stays within 15 digits";
    FEE_FORM = "fee.form": "a fee has exactly the members of its rule, in the spelling of its currency's scale";
    FEE_SCHEDULE = "fee.schedule": "a fee rule has a percentage of at most 100 or ascending tiers that end open, in amounts that its currency can pay";
    FEE_CURRENCY = "fee.currency": "a percentage and tiers are taken of a price in the fee's own currency";
    FEE_TEMPLATE = "fee.template": "the fee is exactly what the template's rule yields for the price";
    POLICY_FORM = "policy.form": "terms have exactly the members of the ODRL subset, each of its kind";
    POLICY_CONTEXT = "policy.context": "terms are read in the context of ODRL 2.2, alone or with that of the Dataspace Protocol";
    POLICY_KIND = "policy.kind": "terms are a Set, an Offer or an Agreement";
    POLICY_RULES = "policy.rules": "terms permit or prohibit something";
    POLICY_ACTION = "policy.action": "an action is one of ODRL's, or namespaced";
    POLICY_OPERAND = "policy.operand": "a left operand is dateTime, count, spatial, purpose, elapsedTime, payAmount, or namespaced";
    POLICY_OPERATOR = "policy.operator": "an operator is one of the Dataspace Protocol's and fits its left operand";
    POLICY_VALUE = "policy.value": "a right operand has the type that its left operand and operator ask for";
    POLICY_SIZE = "policy.size": "terms have at most 64 rules, 256 constraints, 8 levels of them and 64 values each";
    POLICY_PROHIBITED = "policy.prohibited": "no prohibition applies to the action";
    POLICY_NOT_PERMITTED = "policy.not-permitted": "a permission covers the action";
    POLICY_CONSTRAINT = "policy.constraint": "the constraints of a permission hold";
    POLICY_UNDECIDABLE = "policy.undecidable": "every constraint that matters can be decided from the facts at hand";
    TEMPLATE_FORM = "template.form": "a template has exactly the members that the protocol lists, each of its kind";
    TEMPLATE_PERIOD = "template.period": "a template's nbf lies before its exp";
    TEMPLATE_PARAMETER = "template.parameter": "a parameter has a known type, and limits and choices of that type that leave a value";
    TEMPLATE_RESERVED = "template.parameter.reserved": "no parameter takes the name of a blank that the offer fills";
    TEMPLATE_UNDECLARED = "template.parameter.undeclared": "every parameter in the terms is declared";
    TEMPLATE_UNUSED = "template.parameter.unused": "every declared parameter stands in the terms";
    TEMPLATE_PLACE = "template.place": "a place for a value is an object with the one member param, a text";
    TEMPLATE_TERMS = "template.terms": "filled with any of its parameters' limits and choices, the terms are an ODRL Offer of the subset";
    TEMPLATE_VALUES = "template.values": "there is one value for each declared parameter, and none besides";
    TEMPLATE_VALUE = "template.value": "a value has the declared type and keeps to its limits and choices";
    TEMPLATE_ONE_VALUE = "template.value.one": "a parameter has the same value wherever it stands";
    TEMPLATE_MATCH = "template.match": "outside the places for values the terms are the template's";
}
