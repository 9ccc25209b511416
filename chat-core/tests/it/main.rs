//! Proofs of the engine: stories told in scripts, tables, and a simulated world beside a naive
//! model of the rules.

/// Declares tests, and lists them, so that another test can ask what they have shown together.
#[cfg(test)]
macro_rules! stories {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)*) => {
        $($(#[$meta])* #[test] fn $name() $body)*

        /// The stories of this file.
        pub(crate) const STORIES: &[fn()] = &[$($name),*];
    };
}

#[cfg(test)]
mod boundaries;
#[cfg(test)]
mod check;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod membership;
mod neighbours;
#[cfg(test)]
mod posting;
#[cfg(test)]
mod repeats;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod simulation;
