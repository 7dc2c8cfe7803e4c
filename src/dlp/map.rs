//! Where the bytes of a decoded layer come from.

/// From places of a layer to places of the layer around it.
#[derive(Debug, Clone)]
pub(super) enum Map {
    /// Every byte comes from all of this: packed bytes.
    Whole(usize, usize),
    /// `from` bytes come from `to` bytes, the first from `start`: base64 (3 from 4), hex (1 from 2), base32 (5 from 8).
    Units { start: usize, from: usize, to: usize, end: usize },
    /// Byte for byte from a place on, until the next place: (in the layer, around it), ascending.
    Points(Vec<(usize, usize)>, usize),
}

impl Map {
    /// Where a range of the layer comes from.
    pub(super) fn outer(&self, start: usize, end: usize) -> (usize, usize) {
        match self {
            Self::Whole(from, to) => (*from, *to),
            Self::Units { start: base, from, to, end: last } => {
                let first = base + start / from * to;
                (first, (base + end.div_ceil(*from) * to).min(*last))
            }
            Self::Points(points, last) => {
                let first = place(points, start);
                let behind = if end > start { place(points, end - 1) + 1 } else { first };
                // A character that was written as an escape ends where the next one starts.
                let next = points.partition_point(|(inner, _)| *inner < end);
                let until = points.get(next).map_or(*last, |(_, outer)| *outer);
                let exact = points.get(next).is_some_and(|(inner, _)| *inner == end) || behind > until;
                (first, if exact { until } else { behind })
            }
        }
    }
}

fn place(points: &[(usize, usize)], at: usize) -> usize {
    let behind = points.partition_point(|(inner, _)| *inner <= at);
    match behind.checked_sub(1).and_then(|last| points.get(last)) {
        Some((inner, outer)) => outer + (at - inner),
        None => at,
    }
}
