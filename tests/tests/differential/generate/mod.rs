//! Requests made up at random, from what the documents hold.

mod documents;
mod errors;
mod filters;
mod others;
mod searches;
mod vocabulary;
mod words;

use miroir_tests::Dice;

use self::vocabulary::Vocabulary;
use crate::{
    indexes::{INDEXES, Index},
    probe::Probe,
};

/// Makes requests up.
pub(crate) struct Generator {
    dice: Dice,
    vocabularies: Vec<Vocabulary>,
}

impl Generator {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { dice, vocabularies: INDEXES.iter().map(Vocabulary::of).collect() }
    }

    pub(crate) fn probe(&mut self) -> Probe {
        let place = *self.dice.pick(&[0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 5, 6, 6, 6, 7, 7]);
        let mut making = Making {
            dice: &mut self.dice,
            index: &INDEXES[place],
            vocabulary: &self.vocabularies[place],
            vocabularies: &self.vocabularies,
        };
        match making.dice.below(100) {
            0..66 => making.search(),
            66..72 => making.facet_search(),
            72..76 => making.multi_search(),
            76..82 => making.federated(),
            82..86 if making.index.vectors => making.similar(),
            82..94 => making.documents(),
            _ => making.error(),
        }
    }
}

/// One request in the making.
pub(crate) struct Making<'a> {
    dice: &'a mut Dice,
    index: &'static Index,
    vocabulary: &'a Vocabulary,
    /// Of all indexes.
    vocabularies: &'a [Vocabulary],
}

impl Making<'_> {
    /// A part of a request that is about the same index.
    fn here(&mut self) -> Making<'_> {
        Making {
            dice: &mut *self.dice,
            index: self.index,
            vocabulary: self.vocabulary,
            vocabularies: self.vocabularies,
        }
    }

    /// A part of a request that may be about any index.
    fn anywhere(&mut self) -> Making<'_> {
        let place = self.dice.below(INDEXES.len());
        let vocabularies = self.vocabularies;
        let here = self.here();
        if here.dice.percent(40) {
            Making { index: &INDEXES[place], vocabulary: &vocabularies[place], ..here }
        } else {
            here
        }
    }
}
