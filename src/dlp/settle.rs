//! Which of several hits at one place stays.

use super::layer::Hit;
use super::work::Work;

/// Of hits that overlap, the surest; of those as sure, the longest.
pub(super) fn best(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|one, other| {
        let length = |hit: &Hit| hit.end - hit.start;
        one.start
            .cmp(&other.start)
            .then(other.confidence.total_cmp(&one.confidence))
            .then(length(other).cmp(&length(one)))
            .then(one.rule.cmp(&other.rule))
    });
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match kept.last_mut() {
            Some(last) if hit.start < last.end => {
                let surer = hit.confidence > last.confidence;
                let longer = hit.confidence == last.confidence && hit.end - hit.start > last.end - last.start;
                if surer || longer {
                    *last = hit;
                }
            }
            _ => kept.push(hit),
        }
    }
    kept
}

/// Puts hits of a layer together with those inside it: where both say something, the surer one stays. The same value
/// at the same place, read in two ways, is one hit.
pub(super) fn settle(own: Vec<Hit>, mut kids: Vec<Hit>, work: &Work) -> Vec<Hit> {
    if kids.is_empty() {
        return own;
    }
    kids.sort_by(|one, other| {
        one.start
            .cmp(&other.start)
            .then(one.end.cmp(&other.end))
            .then(one.chain.len().cmp(&other.chain.len()))
    });
    let mut own: Vec<Option<Hit>> = own.into_iter().map(Some).collect();
    let places: Vec<(usize, usize)> = own.iter().flatten().map(|hit| (hit.start, hit.end)).collect();
    let mut all: Vec<Hit> = Vec::new();
    for kid in kids {
        let first = places.partition_point(|(_, end)| *end <= kid.start);
        let past = places.partition_point(|(start, _)| *start < kid.end);
        // What is packed is at the place of all that stands in its packed bytes. Without work left it stays: told twice.
        let mut beaten = false;
        let past = if work.take(past.saturating_sub(first)) { past } else { first };
        for place in own.get_mut(first..past).unwrap_or_default() {
            match place {
                Some(hit) if kid.whole => beaten |= hit.value == kid.value,
                Some(hit) if hit.confidence >= kid.confidence => beaten = true,
                Some(_) => *place = None,
                None => {}
            }
        }
        let twice = |other: &Hit| {
            other.start < kid.end
                && kid.start < other.end
                && other.rule == kid.rule
                && other.value == kid.value
        };
        if !beaten && !all.iter().rev().take(16).any(twice) {
            all.push(kid);
        }
    }
    all.extend(own.into_iter().flatten());
    all.sort_by(|one, other| one.start.cmp(&other.start).then(one.end.cmp(&other.end)));
    all
}
