//! See the function of this name in `src/lib.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dfm_fuzz::parts(bytes);
});
