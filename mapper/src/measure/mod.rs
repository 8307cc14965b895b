//! Small partials that operators share.
