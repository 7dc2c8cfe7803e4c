//! Logistic regression by stochastic steps (Adagrad), and the file that it is written to.

use crate::dice::Dice;
use crate::example::Example;
use aisandbox::dlp::classify::{HEADER_BYTES, MARK, SLOTS, features};

/// Pull of every weight towards zero.
const DECAY: f32 = 2e-6;
/// Length of the first steps.
const STEP: f32 = 0.08;

pub(crate) struct Model {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: f32,
}

/// An example as its features.
pub(crate) struct Row {
    slots: Vec<(u32, f32)>,
    secret: bool,
    worth: f32,
}

impl Row {
    pub(crate) fn of(example: &Example) -> Self {
        let mut slots = Vec::new();
        features(&example.candidate, &example.before, |slot, value| slots.push((slot as u32, value)));
        // A false alarm costs more than a miss: an engine that cries wolf is switched off.
        let worth = if example.secret { 1.0 } else { 2.0 };
        Self { slots, secret: example.secret, worth }
    }
}

impl Model {
    pub(crate) fn learnt(rows: &[Row], rounds: usize, dice: &mut Dice) -> Self {
        let mut model = Self { weights: vec![0.0; SLOTS], bias: 0.0 };
        let mut squares = vec![1e-3f32; SLOTS];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        for round in 0..rounds {
            dice.shuffle(&mut order);
            let step = STEP / (1.0 + round as f32 * 0.3);
            let mut loss = 0.0f64;
            for row in order.iter().map(|at| &rows[*at]) {
                let found = model.of_row(row);
                let wanted = f32::from(u8::from(row.secret));
                loss -= f64::from(if row.secret { found } else { 1.0 - found }.max(1e-6).ln());
                let wrong = (found - wanted) * row.worth;
                for (slot, value) in &row.slots {
                    let slot = *slot as usize;
                    let pull = wrong * value + DECAY * model.weights[slot];
                    squares[slot] += pull * pull;
                    model.weights[slot] -= step * pull / squares[slot].sqrt();
                }
                model.bias -= step * 0.02 * wrong;
            }
            eprintln!("round {round}: loss {:.4}", loss / rows.len() as f64);
        }
        model
    }

    pub(crate) fn of_row(&self, row: &Row) -> f32 {
        let sum: f32 = row.slots.iter().map(|(slot, value)| self.weights[*slot as usize] * value).sum();
        1.0 / (1.0 + (-(sum + self.bias)).exp())
    }

    /// What the file will say: weights in whole units.
    pub(crate) fn rounded(mut self) -> (Self, f32) {
        let most = self.weights.iter().fold(0.0f32, |most, weight| most.max(weight.abs()));
        let unit = most / 32_767.0;
        self.weights.iter_mut().for_each(|weight| *weight = (*weight / unit).round() * unit);
        (self, unit)
    }

    pub(crate) fn file(&self, unit: f32, threshold: f32, frozen: u32) -> Vec<u8> {
        let mut file = MARK.to_vec();
        for number in [unit.to_bits(), self.bias.to_bits(), threshold.to_bits(), frozen] {
            file.extend(number.to_le_bytes());
        }
        assert_eq!(file.len(), HEADER_BYTES);
        for weight in &self.weights {
            file.extend(((weight / unit).round() as i16).to_le_bytes());
        }
        file
    }
}
