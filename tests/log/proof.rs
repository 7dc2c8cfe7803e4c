//! Proofs of single events.

use super::{Place, event, step};
use aisandbox::audit::AuditError;
use aisandbox::audit::log::{Batch, Turn, check_proof, prove, verify};

#[test]
fn every_event_of_a_log_is_proven_by_its_own_proof_alone() {
    let place = Place::new();
    let (run, folder) = place.log(7, true);
    let verdict = verify(&folder).unwrap();
    for index in 0..verdict.leaves {
        let text = prove(&folder, index).unwrap();
        let proven = check_proof(&text).unwrap();
        assert_eq!((proven.run, proven.index), (run.to_string(), index));
        assert_eq!(Some(proven.identity), verdict.identity);
    }
    assert!(matches!(prove(&folder, verdict.leaves), Err(AuditError::NoProof { .. })));
}

#[test]
fn a_proof_that_was_changed_proves_nothing() {
    let place = Place::new();
    let (_, folder) = place.log(7, true);
    let text = prove(&folder, 3).unwrap();
    let identity = check_proof(&text).unwrap().identity;
    for at in (0..text.len()).step_by(step(41)) {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        // What is changed up to the highest tree leads to another device at most.
        assert!(!check_proof(&changed).is_ok_and(|proven| proven.identity == identity), "byte {at}");
    }
    let other = prove(&folder, 4).unwrap();
    let swapped = text.replace(text.lines().nth(1).unwrap(), other.lines().nth(1).unwrap());
    assert!(check_proof(&swapped).is_err());
}

#[test]
fn an_event_of_a_run_that_goes_on_is_proven_by_the_heads_so_far() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    log.append(&event("one")).unwrap();
    assert!(check_proof(&prove(&place.folder(run), 1).unwrap()).is_ok());
}

/// The proof without the event and without the device's word, which any format would need.
#[test]
fn the_proof_of_one_event_in_a_million_is_small() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    let mut batch = Batch::new();
    for _ in 0..100 {
        (0..10_000).for_each(|_| batch.push(b"{}"));
        log.commit(&mut batch, Turn::Now).unwrap();
    }
    log.seal().unwrap();
    let text = prove(&place.folder(run), 654_321).unwrap();
    let bare: usize = text.lines().filter(|line| !line.starts_with("extra")).map(|line| line.len() + 1).sum();
    assert!(bare <= 1200, "{bare}");
    println!("bare {bare} bytes, whole {} bytes", text.len());
}
