//! Completions for bash, zsh and fish, by clap_complete.

use crate::Page;
use base::cli::CommandLine;
use clap_complete::{Generator, Shell};

/// The three of a tool.
pub fn pages(line: &'static CommandLine) -> Vec<Page> {
    [Shell::Bash, Shell::Zsh, Shell::Fish]
        .into_iter()
        .map(|shell| {
            let mut command = subcommands::to_clap(line);
            command.set_bin_name(line.name);
            command.build();
            let mut text = Vec::new();
            shell.generate(&command, &mut text);
            let name = match shell {
                Shell::Bash => line.name.to_string(),
                _ => shell.file_name(line.name),
            };
            Page { path: format!("completions/{shell}/{name}"), text: String::from_utf8_lossy(&text).into_owned() }
        })
        .collect()
}
