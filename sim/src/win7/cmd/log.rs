//! Answers to the operations of a process since its last checkpoint: what lets straight-line code be plain data.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What an operation can answer: any plain data.
pub trait Answer: Any + Clone + Eq + Hash + fmt::Debug + Send + Sync {}

impl<T: Any + Clone + Eq + Hash + fmt::Debug + Send + Sync> Answer for T {}

/// An [`Answer`] of a type that is not known here.
trait Logged: Any + fmt::Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn is(&self, other: &dyn Logged) -> bool;
    fn digest(&self, hasher: &mut dyn Hasher);
}

impl<T: Answer> Logged for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is(&self, other: &dyn Logged) -> bool {
        other.as_any().downcast_ref::<T>() == Some(self)
    }

    fn digest(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

/// The answers, in order.
#[derive(Clone, Debug, Default)]
pub struct Log {
    answers: Vec<Arc<dyn Logged>>,
}

impl Log {
    /// The answer to the operation of this number, if it was performed.
    ///
    /// # Panics
    /// If that operation answered something else: code that is not a function of its inputs and its log.
    pub fn get<T: Answer>(&self, at: usize) -> Option<T> {
        let answer = self.answers.get(at)?;
        // The trait object itself must be asked, not the `Arc` around it, which is plain data too.
        let answer = (**answer).as_any().downcast_ref::<T>();
        Some(
            answer
                .expect("a process asks the same when it runs again")
                .clone(),
        )
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Adds an answer.
    pub fn push<T: Answer>(&mut self, answer: T) {
        self.answers.push(Arc::new(answer));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.answers.clear();
    }
}

impl PartialEq for Log {
    fn eq(&self, other: &Log) -> bool {
        let mut pairs = self.answers.iter().zip(&other.answers);
        self.answers.len() == other.answers.len() && pairs.all(|(one, other)| one.is(&**other))
    }
}

impl Eq for Log {}

impl Hash for Log {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.answers.len());
        for answer in &self.answers {
            (**answer).digest(state);
        }
    }
}
