//! Stock zlib under `libz-ng-sys`'s name.
//!
//! pingora-core asks flate2 for its `zlib-ng` backend, whose build needs CMake. A fresh machine has a C compiler
//! (SQLite and LMDB need it as well) but often no CMake, and the gateway does not use pingora's compression. flate2
//! reaches both libraries through the same functions, so this crate hands it `libz-sys`, with one difference to mend:
//! flate2 announces zlib-ng's version to the two `init` functions, which they compare with their own.

use std::ffi::{c_char, c_int};

pub use libz_sys::*;

/// `deflateInit2_` of zlib, called with zlib's own version.
///
/// # Safety
/// As zlib's: `strm` must point to a valid stream whose allocation functions are set.
#[allow(non_snake_case)]
pub unsafe extern "C" fn deflateInit2_(
    strm: z_streamp,
    level: c_int,
    method: c_int,
    window_bits: c_int,
    mem_level: c_int,
    strategy: c_int,
    _version: *const c_char,
    stream_size: c_int,
) -> c_int {
    // SAFETY: the caller's contract is the one of the function called.
    unsafe {
        let version = libz_sys::zlibVersion();
        libz_sys::deflateInit2_(strm, level, method, window_bits, mem_level, strategy, version, stream_size)
    }
}

/// `inflateInit2_` of zlib, called with zlib's own version.
///
/// # Safety
/// As zlib's: `strm` must point to a valid stream whose allocation functions are set.
#[allow(non_snake_case)]
pub unsafe extern "C" fn inflateInit2_(
    strm: z_streamp,
    window_bits: c_int,
    _version: *const c_char,
    stream_size: c_int,
) -> c_int {
    // SAFETY: the caller's contract is the one of the function called.
    unsafe { libz_sys::inflateInit2_(strm, window_bits, libz_sys::zlibVersion(), stream_size) }
}
