//! What somebody meant who wrote a name that is not known.

/// Names of other libraries, and of habit, for those here.
const ALIASES: &[(&str, &[&str])] = &[
    ("learning_rate", &["lr"]),
    ("learning_rate_init", &["lr"]),
    ("alpha", &["lr", "decay"]),
    ("eta", &["lr"]),
    ("step_size", &["lr"]),
    ("beta", &["momentum", "betas", "beta"]),
    ("beta1", &["betas", "beta"]),
    ("beta2", &["betas", "beta"]),
    ("beta_1", &["betas", "beta"]),
    ("beta_2", &["betas", "beta"]),
    ("b1", &["betas"]),
    ("b2", &["betas"]),
    ("rho", &["beta", "rho"]),
    ("epsilon", &["eps"]),
    ("decay", &["weight_decay"]),
    ("l2", &["weight_decay"]),
    ("wd", &["weight_decay"]),
    ("clipnorm", &["clip_norm"]),
    ("max_grad_norm", &["clip_norm"]),
    ("global_clipnorm", &["clip_norm"]),
    ("clipvalue", &["clip_value"]),
    ("gradient_accumulation_steps", &["accumulate"]),
    ("schedule", &["lr"]),
    ("scheduler", &["lr"]),
    ("bce", &["binary_cross_entropy"]),
    ("log_loss", &["cross_entropy"]),
    ("nll", &["cross_entropy"]),
    ("categorical_crossentropy", &["cross_entropy"]),
    ("sparse_categorical_crossentropy", &["cross_entropy"]),
];

/// The known name that somebody meant, as the end of a sentence; empty where none is near.
pub fn hint(name: &str, known: &[&str]) -> String {
    meant(&name.to_lowercase(), known).map_or_else(String::new, |name| format!(": did you mean {name:?}?"))
}

/// The known name that is nearest, if any is near.
fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let is_known = |wanted: &&str| known.iter().copied().find(|known| known == wanted);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(&[][..], |(_, names)| *names);
    alias.iter().find_map(is_known).or_else(|| {
        let nearest = known.iter().map(|known| (distance(name, known), *known)).min()?;
        (nearest.0 * 3 <= name.chars().count().max(3)).then_some(nearest.1)
    })
}

/// How many letters must be changed, added or left out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_meant() {
        let known = ["lr", "betas", "eps", "weight_decay", "clip_norm"];
        assert_eq!(meant("learning_rate", &known), Some("lr"));
        assert_eq!(meant("beta1", &known), Some("betas"));
        assert_eq!(meant("weigth_decay", &known), Some("weight_decay"));
        assert_eq!(meant("clip_nrom", &known), Some("clip_norm"));
        assert_eq!(meant("colour", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(hint("ReLU", &["selu", "relu"]), ": did you mean \"relu\"?");
        assert_eq!(hint("colour", &known), "");
    }
}
