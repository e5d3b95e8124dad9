//! A comparison of which model and data are there: what is made once, and one point after another.

use super::learning::Learning;
use super::peak::Peak;
use super::prompting::{Prompting, note_of_words};
use super::subject::{Far, Subject};
use super::vectors::{Making, Read};
use super::{Key, Outcomes};
use crate::train::linear::{Logistic, Prototypes};
use crate::types::{AdaptReport, AdaptSpec, Labelled, UserError, Way, draw_examples};
use burn::tensor::Device;
use std::rc::Rc;
use std::time::Instant;

/// The same whatever is compared.
pub(super) trait Comparing {
    /// Does a stretch of what is due before anything is measured; how far that is, or nothing once all is done.
    ///
    /// # Errors
    /// When an example cannot be read.
    fn prepare(&mut self, device: &Device) -> Result<Option<Far>, UserError>;

    /// Goes on with a point; what it came to, once it is measured.
    ///
    /// # Errors
    /// When the model cannot be adapted so.
    fn measure(&mut self, spec: &AdaptSpec, key: Key, device: &Device) -> Result<Option<Outcomes>, UserError>;

    /// Adds to a report what model and data tell.
    fn tell(&self, report: &mut AdaptReport);

    /// That some were longer than what was read of them.
    fn note_of_length(&self) -> Option<String>;

    /// What should be known of the words for the classes in a prompt.
    fn note_of_words(&self, spec: &AdaptSpec) -> Option<String>;
}

/// What the ways need of examples by themselves.
pub(super) struct Needed {
    /// Places of all that are learned from or measured on.
    pub places: Vec<usize>,
    /// Vectors for small models.
    pub of_model: bool,
    /// Vectors for a head.
    pub of_head: bool,
}

/// What is there once data and model are read.
pub(super) struct Ready<S: Subject> {
    pub(super) subject: S,
    pub(super) data: Rc<Labelled>,
    /// Places of what is measured on, in rising order.
    pub(super) test: Vec<usize>,
    /// What stands for an example under a small model, and what for a head where that is something else.
    of_model: Making<S>,
    of_head: Option<Making<S>>,
    /// The last prompt, and what it came to.
    prompted: Option<(String, Outcomes)>,
    doing: Doing<S>,
}

/// What is under way.
enum Doing<S: Subject> {
    Nothing,
    Prompting(Box<Prompting>),
    Learning(Box<Learning<S>>),
}

impl<S: Subject> Ready<S> {
    /// A subject with its data, of which some is measured on.
    pub(super) fn new(subject: S, data: Rc<Labelled>, test: Vec<usize>, needed: &Needed) -> Self {
        let making = |asked: bool, read: Read| {
            Making::new(read, data.examples.len(), if asked { needed.places.clone() } else { Vec::new() })
        };
        let own = subject.own();
        let are_one = own == Read::OfHead;
        let of_model = making(needed.of_model || (are_one && needed.of_head), own);
        let of_head = (!are_one).then(|| making(needed.of_head, Read::OfHead));
        Self { subject, test, of_model, of_head, data, prompted: None, doing: Doing::Nothing }
    }

    /// What a head reads.
    pub(super) fn of_head(&self) -> &Making<S> {
        self.of_head.as_ref().unwrap_or(&self.of_model)
    }

    /// A small model on the vectors.
    fn linear(&self, way: Way, drawn: &[(usize, usize)]) -> Outcomes {
        let (making, classes, peak) = (&self.of_model, self.data.labels.len(), Peak::begin());
        let begun = Instant::now();
        let vectors = making.vectors();
        let of_each = making.seconds_each();
        let (shares, learned, adapt_s): (Vec<Vec<f64>>, usize, f64) = if way == Way::Embeddings {
            let learned = Logistic::learn(vectors, drawn, classes);
            let adapt_s = begun.elapsed().as_secs_f64();
            let shares = self.test.iter().map(|place| learned.log_shares(vectors.row(*place)));
            (shares.collect(), learned.learned(), adapt_s)
        } else {
            let learned = Prototypes::learn(vectors, drawn, classes);
            let adapt_s = begun.elapsed().as_secs_f64();
            let shares = self.test.iter().map(|place| learned.log_shares(vectors.row(*place)));
            (shares.collect(), learned.learned(), adapt_s)
        };
        let answering = begun.elapsed().as_secs_f64() - adapt_s;
        Outcomes {
            shares,
            used: drawn.len(),
            adapt_s: adapt_s + of_each * drawn.len() as f64,
            query_s: answering + of_each * self.test.len() as f64,
            tokens: making.tokens_each(&self.test),
            learned: learned as u64,
            bytes: 4 * learned as u64,
            peak: peak.end(),
        }
    }
}

impl<S: Subject> Comparing for Ready<S> {
    fn prepare(&mut self, device: &Device) -> Result<Option<Far>, UserError> {
        if let Some(far) = self.subject.prepare(device)? {
            return Ok(Some(far));
        }
        let Self { subject, of_model, of_head, .. } = self;
        for making in [Some(of_model), of_head.as_mut()].into_iter().flatten() {
            if !making.is_done() {
                making.step(subject)?;
                return Ok(Some(making.far()));
            }
        }
        Ok(None)
    }

    fn measure(
        &mut self,
        spec: &AdaptSpec,
        (way, noise, size, seed): Key,
        device: &Device,
    ) -> Result<Option<Outcomes>, UserError> {
        let (doing, done) = match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => {
                let drawn = draw_examples(&self.data, size, seed, noise);
                match (way, self.subject.writer()) {
                    (Way::Embeddings | Way::Prototypes, _) => (Doing::Nothing, Some(self.linear(way, &drawn))),
                    (Way::Examples, Some(writer)) => {
                        let prompting = Prompting::new(writer, spec, &self.data, &drawn, &self.test)?;
                        // One that is full is the same for every larger number of examples.
                        match &self.prompted {
                            Some((text, outcomes)) if text == prompting.text() => {
                                (Doing::Nothing, Some(outcomes.clone()))
                            }
                            _ => (Doing::Prompting(Box::new(prompting)), None),
                        }
                    }
                    _ => {
                        let learning = Learning::begin(self, spec, (way, seed), &drawn, device)?;
                        (Doing::Learning(Box::new(learning)), None)
                    }
                }
            }
            Doing::Prompting(mut prompting) => {
                let done = self.subject.writer().map(|writer| prompting.step(writer)).transpose()?.flatten();
                if let Some(outcomes) = &done {
                    self.prompted = Some((prompting.text().to_owned(), outcomes.clone()));
                }
                (Doing::Prompting(prompting), done)
            }
            Doing::Learning(mut learning) => {
                let done = learning.step(self, device)?;
                (Doing::Learning(learning), done)
            }
        };
        if done.is_none() {
            self.doing = doing;
        }
        Ok(done)
    }

    fn tell(&self, report: &mut AdaptReport) {
        self.subject.tell(report);
    }

    fn note_of_length(&self) -> Option<String> {
        let cut = self.of_model.cut().max(self.of_head().cut());
        let longest = self.subject.info().shape.classifier()?.longest;
        (cut > 0).then(|| format!("{cut} texts are longer than {longest} tokens and were cut off there."))
    }

    fn note_of_words(&self, spec: &AdaptSpec) -> Option<String> {
        note_of_words(self.subject.writer()?, spec, &self.data)
    }
}
