//! The blocks of a segment, read by hand on purpose.

/// Where each block begins, and where the last ends.
pub(crate) fn blocks(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut places = vec![0];
    while *places.last().unwrap() < bytes.len() {
        let at = *places.last().unwrap();
        places.push(at + 28 + number(at + 16) + number(at + 20));
    }
    places
}

/// Makes the sum of every block anew.
pub(crate) fn sum_anew(bytes: &mut [u8]) {
    for window in blocks(bytes).windows(2) {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[window[0]..window[0] + 24]);
        hasher.update(&bytes[window[0] + 28..window[1]]);
        let sum = hasher.finalize().to_be_bytes();
        bytes[window[0] + 24..window[0] + 28].copy_from_slice(&sum);
    }
}
