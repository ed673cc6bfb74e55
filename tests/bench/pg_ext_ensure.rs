//! pg-ext-ensure beside its peers, in one run.

fn main() {}
