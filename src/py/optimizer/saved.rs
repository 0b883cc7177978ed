//! A state that is to be loaded, read and checked before anything is done with it. Python may run meanwhile.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::binding::Binding;
use super::names::places;
use super::recipe::{Extras, Group};
use crate::error::Error;
use crate::optim::{Config, Counts, Progress, WEIGHT_DECAY};
use crate::py::foreign::{as_list, boolean, items, kind, number, numbers, quoted, shown};

/// What a group's memory calls the steps in which it was frozen, where there were any,
pub const FROZEN_STEPS: &str = "frozen_steps";

/// and those that it had taken part in when a state array began.
pub fn since(slot: &str) -> String {
    match slot {
        "average" => "averaged_since".to_owned(),
        slot => format!("{slot}_since"),
    }
}

/// The largest count that is taken: all whole numbers up to here are numbers of every kind.
const MAX_COUNT: f64 = (1u64 << 53) as f64;

/// A state that is to be loaded by an optimizer at work.
pub struct Saved<'a, 'py> {
    pub dict: &'a Bound<'py, PyDict>,
    pub bound: &'a Binding,
    /// For each array the number that it has in the state.
    pub places: Vec<usize>,
}

impl<'a, 'py> Saved<'a, 'py> {
    /// Refuses the state of another class, or of other arrays.
    pub fn new(dict: &'a Bound<'py, PyDict>, bound: &'a Binding) -> PyResult<Self> {
        let mut saved = Saved { dict, bound, places: vec![] };
        let (name, given) = (bound.configs()[0].spec().name, saved.part("optimizer")?);
        if !given.cast::<PyString>().is_ok_and(|given| given == name) {
            return Err(Error::value("state_dict[\"optimizer\"]", quoted(&given)?, format!("{name:?}")).into());
        }
        for (group, given) in saved.of_groups("param_groups")?.iter().enumerate() {
            saved.expect_name(group, given)?;
        }
        saved.places = saved.find_places()?;
        saved.expect_group_of()?;
        Ok(saved)
    }

    fn part(&self, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let part = self.dict.get_item(name)?;
        part.ok_or_else(|| PyValueError::new_err(format!("state_dict must have {name:?}")))
    }

    /// The arrays' names are not in states of old.
    fn find_places(&self) -> PyResult<Vec<usize>> {
        let own = &self.bound.names;
        let Some(given) = self.dict.get_item("names")?.filter(|given| !given.is_none()) else {
            return Ok((0..own.len()).collect());
        };
        let mut names = vec![];
        for name in list("state_dict[\"names\"]", &given)? {
            match name.cast::<PyString>() {
                Ok(name) => names.push(name.to_str()?.to_owned()),
                Err(_) => return Err(Error::type_("state_dict[\"names\"]", shown(&given)?, "strings").into()),
            }
        }
        if names.len() != own.len() {
            let (got, expected) = (format!("{} names", names.len()), format!("{}, one for each array", own.len()));
            return Err(Error::value("state_dict[\"names\"]", got, expected).into());
        }
        Ok(places(&names, own)?)
    }

    /// Refuses a state whose arrays are in other groups, where it says in which.
    fn expect_group_of(&self) -> PyResult<()> {
        let Some(given) = self.dict.get_item("group_of")? else { return Ok(()) };
        let (place, own) = ("state_dict[\"group_of\"]", self.bound.group_of());
        let entries = list(place, &given)?;
        let entries = entries.iter().map(|entry| whole(place, entry, usize::MAX as f64));
        let groups = entries.collect::<PyResult<Vec<_>>>()?;
        let same = |(place, &group): (&usize, &usize)| groups.get(*place) == Some(&(group as u64));
        if groups.len() == own.len() && self.places.iter().zip(&own).all(same) {
            return Ok(());
        }
        Err(Error::value(place, format!("{groups:?}"), format!("{own:?}")).into())
    }

    /// A part that is a dict for each group.
    fn of_groups(&self, name: &str) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let (place, groups) = (format!("state_dict[{name:?}]"), self.bound.configs().len());
        let mut dicts = vec![];
        for entry in list(&place, &self.part(name)?)? {
            match entry.cast_into::<PyDict>() {
                Ok(dict) => dicts.push(dict),
                Err(other) => {
                    return Err(Error::type_(place, shown(&other.into_inner())?, "a dict for each group").into());
                }
            }
        }
        if dicts.len() == groups {
            return Ok(dicts);
        }
        Err(Error::value(place, format!("{} groups", dicts.len()), format!("{groups} groups")).into())
    }

    /// How far it had come.
    pub fn counts(&self, accumulate: u64) -> PyResult<Counts> {
        let count = |name: &str, most| whole(&format!("state_dict[{name:?}]"), &self.part(name)?, most);
        Ok(Counts {
            steps: count("step_count", MAX_COUNT)?,
            skipped: count("skipped_steps", MAX_COUNT)?,
            gathered: count("gathered", accumulate.saturating_sub(1) as f64)?,
        })
    }

    /// How far each group had come, of those with these configurations.
    pub fn progress(&self, configs: &[Config], steps: u64) -> PyResult<Vec<Progress>> {
        let of_group = |(group, memory): (usize, Bound<'py, PyDict>)| {
            let count = |name: &str, most: u64| match memory.get_item(name)? {
                Some(saved) => whole(&format!("state_dict[\"memory\"][{group}][{name:?}]"), &saved, most as f64),
                None => Ok(0),
            };
            let mut progress = Progress { frozen_steps: count(FROZEN_STEPS, steps)?, ..Progress::default() };
            for (began, slot) in progress.since.iter_mut().zip(configs[group].slots()) {
                *began = count(&since(slot.name), steps - progress.frozen_steps)?;
            }
            Ok(progress)
        };
        self.of_groups("memory")?.into_iter().enumerate().map(of_group).collect()
    }

    /// A number that a group's rule remembers.
    pub fn remembered(&self, group: usize, name: &str) -> PyResult<f64> {
        let memory = &self.of_groups("memory")?[group];
        let place = format!("state_dict[\"memory\"][{group}]");
        let Some(saved) = memory.get_item(name)? else {
            let keys = shown(memory.keys().as_any())?;
            return Err(Error::value(place, keys, format!("numbers, {name:?} among them")).into());
        };
        match number(&saved)?.filter(|x| x.is_finite()) {
            Some(x) => Ok(x),
            None => Err(Error::value(format!("{place}[{name:?}]"), shown(&saved)?, "a finite number").into()),
        }
    }

    /// The state arrays of these names, each in the order of the parameters.
    pub fn arrays(&self, names: &[&str]) -> PyResult<Vec<Vec<Bound<'py, PyAny>>>> {
        let (place, given) = ("state_dict[\"state\"]", self.part("state")?);
        let expected = || format!("the arrays {}", names.join(", "));
        let Ok(state) = given.cast_into::<PyDict>() else {
            return Err(Error::type_(place, kind(&self.part("state")?)?, expected()).into());
        };
        if state.len() != names.len() {
            return Err(Error::value(place, shown(state.keys().as_any())?, expected()).into());
        }
        let of_name = |name: &&str| {
            let place = format!("state_dict[\"state\"][{name:?}]");
            let count = self.places.len();
            let arrays = state.get_item(name)?.map(|given| list(&place, &given)).transpose()?;
            let Some(arrays) = arrays.as_ref().filter(|arrays| arrays.len() == count) else {
                let got = arrays.map_or("nothing".to_owned(), |arrays| format!("{} entries", arrays.len()));
                return Err(Error::value(place, got, format!("a list of {count} arrays")).into());
            };
            Ok(self.places.iter().map(|&place| arrays[place].clone()).collect())
        };
        names.iter().map(of_name).collect()
    }

    /// The groups with the saved options.
    pub fn groups(&self, py: Python<'_>) -> PyResult<Vec<Group>> {
        let mut groups = vec![];
        for (index, saved) in self.of_groups("param_groups")?.iter().enumerate() {
            let mut group = self.bound.group(py, index);
            let saved = self.with_own_mask(index, saved)?;
            set_options(&mut group, &saved)?;
            groups.push(group);
        }
        self.set_schedules(&mut groups)?;
        Ok(groups)
    }

    /// Refuses a group of another name.
    fn expect_name(&self, group: usize, saved: &Bound<'py, PyDict>) -> PyResult<()> {
        let Some(name) = saved.get_item("name")?.filter(|name| !name.is_none()) else { return Ok(()) };
        let Extras { name: Some(own), .. } = self.bound.extras(group) else { return Ok(()) };
        if name.cast::<PyString>().is_ok_and(|name| name == own.as_str()) {
            return Ok(());
        }
        let place = format!("state_dict[\"param_groups\"][{group}][\"name\"]");
        Err(Error::value(place, quoted(&name)?, format!("{own:?}")).into())
    }

    /// A group's saved options, with the booleans of a mask in the order of its arrays here.
    fn with_own_mask(&self, group: usize, saved: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        const MASK: &str = "decay_where";
        let own: Vec<_> = self.bound.members(group).into_iter().map(|array| self.places[array]).collect();
        let Some(given) = saved.get_item(MASK)?.filter(|_| !own.is_sorted()) else { return Ok(saved.clone()) };
        let Some(mask) = as_list(&given)?.filter(|mask| mask.len() == own.len()) else { return Ok(saved.clone()) };
        if mask.iter().any(|entry| boolean(&entry).is_none()) {
            return Ok(saved.clone());
        }
        let mut order = own.clone();
        order.sort_unstable();
        let at = |place: &usize| mask.get_item(order.partition_point(|other| other < place));
        let saved = saved.copy()?;
        saved.set_item(MASK, own.iter().map(at).collect::<PyResult<Vec<_>>>()?)?;
        Ok(saved)
    }

    /// What schedules remember.
    fn set_schedules(&self, groups: &mut [Group]) -> PyResult<()> {
        let place = "state_dict[\"schedules\"]";
        let saved = list(place, &self.part("schedules")?)?;
        if saved.len() != groups.len() {
            let (got, expected) = (format!("{} lists", saved.len()), format!("{}, one for each group", groups.len()));
            return Err(Error::value(place, got, expected).into());
        }
        for (index, (group, given)) in groups.iter_mut().zip(&saved).enumerate() {
            let (place, own) = (format!("{place}[{index}]"), group.config.schedule().memory().len());
            if as_list(given)?.is_none() {
                return Err(Error::type_(place, shown(given)?, "a list of numbers").into());
            }
            let memory = numbers(given)?.filter(|memory| own == 0 || own == memory.len());
            let taken = memory.is_some_and(|memory| group.config.schedule_mut().set_memory(&memory));
            if !taken {
                return Err(Error::value(place, shown(given)?, format!("{own} numbers of a schedule")).into());
            }
        }
        Ok(())
    }
}

/// Gives a group saved options; where learning rate or weight decay was not saved, because it was a schedule, it stays.
pub fn set_options(group: &mut Group, saved: &Bound<'_, PyDict>) -> PyResult<()> {
    // What is None first: of options that exclude each other, the old one then goes before the new one.
    let (unset, set): (Vec<_>, Vec<_>) = saved.iter().partition(|(_, value)| value.is_none());
    for (name, value) in unset.into_iter().chain(set) {
        let Ok(name) = name.cast::<PyString>() else {
            return Err(Error::type_("option", shown(&name)?, "a string").into());
        };
        match name.to_str()? {
            "lr" | WEIGHT_DECAY if value.is_none() => (),
            "name" => (),
            name => group.restore(name, &value)?,
        }
    }
    Ok(())
}

/// The entries of a list or a tuple.
fn list<'py>(place: &str, object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    match as_list(object)? {
        Some(entries) => items(&entries),
        None => Err(Error::type_(place, kind(object)?, "a list").into()),
    }
}

/// A whole number from 0 to `most`.
fn whole(place: &str, object: &Bound<'_, PyAny>, most: f64) -> PyResult<u64> {
    let most = most.min(MAX_COUNT);
    let fits = |x: &f64| (0.0..=most).contains(x) && x.fract() == 0.0;
    let number = if boolean(object).is_some() { None } else { number(object)? };
    match number.filter(fits) {
        Some(x) => Ok(x as u64),
        None => Err(Error::value(place, shown(object)?, format!("a whole number from 0 to {most}")).into()),
    }
}
