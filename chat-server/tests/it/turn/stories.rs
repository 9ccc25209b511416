//! Special cases, one moral each.
