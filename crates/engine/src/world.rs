//! Where actions are done: with processes and git, or in a simulation.

use crate::core::{Action, ActionId, Ending, Input, Millis, State};

pub trait World {
    fn now(&self) -> Millis;

    /// Begins an action. Its answer comes as an input.
    fn begin(&mut self, id: ActionId, action: Action);

    /// Waits for the next input, at most until that moment.
    fn next(&mut self, until: Millis) -> Option<Input>;
}

/// What a session lets others see while it runs.
pub enum Told<'a> {
    Begun(&'a Action),
    Happened(&'a Input),
}

/// Runs a session until nothing is left to do, or until it is stopped.
pub fn run(
    state: &mut State,
    world: &mut dyn World,
    tell: &mut dyn FnMut(&State, &Told<'_>),
) -> Ending {
    loop {
        for (id, action) in state.plan(world.now()) {
            tell(state, &Told::Begun(&action));
            world.begin(id, action);
        }
        if let Some(ending) = state.ending() {
            return ending.clone();
        }
        if let Some(input) = world.next(state.wakes_at(world.now())) {
            tell(state, &Told::Happened(&input));
            state.observe(input, world.now());
        }
    }
}
