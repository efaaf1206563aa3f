//! What the hand-written parsers share: a character cursor, a token cursor, a depth guard, did-you-mean.
