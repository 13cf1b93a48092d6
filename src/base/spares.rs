//! Emptied things kept for reuse, as long as they are used.
//!
//! Buffers that come and go with every turn are worth keeping, and what a burst has left behind is
//! not: on every tick those go that lay there all the time since the last one. After two ticks
//! without traffic nothing is kept. What is taken is what was given last, still warm.

/// Things kept for reuse, up to `MAX` of them.
#[derive(Debug)]
pub struct Spares<T, const MAX: usize> {
    kept: Vec<T>,
    /// As few as there have been since the last tick.
    least: usize,
}

impl<T, const MAX: usize> Default for Spares<T, MAX> {
    fn default() -> Self {
        let (kept, least) = (Vec::new(), 0);
        Spares { kept, least }
    }
}

impl<T, const MAX: usize> Spares<T, MAX> {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether no more would be kept.
    pub fn is_full(&self) -> bool {
        self.kept.len() >= MAX
    }

    /// Takes one to use it.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        let taken = self.kept.pop();
        self.least = self.least.min(self.kept.len());
        taken
    }

    /// Keeps one, if there are not too many.
    #[inline]
    pub fn give(&mut self, spare: T) {
        if !self.is_full() {
            self.kept.push(spare);
        }
    }

    /// Lets those go that nobody has used since the last time. To be called on every tick.
    pub fn prune(&mut self) {
        self.kept.drain(..self.least);
        self.kept.shrink_to_fit();
        self.least = self.kept.len();
    }

    /// Lets all of them go.
    pub fn clear(&mut self) {
        *self = Spares::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_used_is_kept() {
        let mut spares: Spares<u32, 4> = Spares::default();
        (0..6).for_each(|number| spares.give(number));
        assert!(spares.is_full());
        spares.prune();
        // Two of four are used between ticks.
        for _ in 0..3 {
            let (one, other) = (spares.take().unwrap(), spares.take().unwrap());
            spares.give(one);
            spares.give(other);
        }
        spares.prune();
        assert_eq!(spares.kept.len(), 2);
        spares.prune();
        assert!(spares.is_empty());
        assert_eq!(spares.take(), None);
    }
}
