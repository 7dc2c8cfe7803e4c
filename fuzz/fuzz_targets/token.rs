//! Any text as a token, and any bytes of one: no panic, and nothing holds that was not made with the run's key.
#![no_main]

use aisandbox::guardian::token::{Tokens, check_signed, peek};
use aisandbox::wire::frame::ChannelId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| Tokens::new("RUN").unwrap());

fuzz_target!(|bytes: &[u8]| {
    let text = URL_SAFE_NO_PAD.encode(bytes);
    for text in [text.as_str(), &String::from_utf8_lossy(bytes)] {
        assert!(TOKENS.check(ChannelId([1; 16]), text, 1000).is_err());
        assert!(check_signed(text, &[9; 32]).is_err());
        drop(peek(text));
    }
});
