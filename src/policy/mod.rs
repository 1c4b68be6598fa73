//! ODRL terms, approved templates, fees.
