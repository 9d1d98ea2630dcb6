//! How far a download is.

use crate::messages::Messages;
use crate::report::table::bytes;

/// Says how much of a file is here. Every 32 MiB is often enough to see that it moves.
pub(super) fn moving(messages: &Messages) -> impl FnMut(u64, Option<u64>) {
    let mut said = 0;
    move |got, of| {
        if got >> 25 > said {
            said = got >> 25;
            messages.say(format_args!("{} of {}", bytes(got), of.map_or("?".to_owned(), bytes)));
        }
    }
}
