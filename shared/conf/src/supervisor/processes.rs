//! Groups, programs, and the processes they become.

use super::reader::{Reader, env_name};
use super::{Daemon, Group, Log, Output, Process, Role, values};
use crate::configparser::Section;
use crate::format::{Names, Value, expand};
use crate::{Error, Kind, shlex};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// More than this many processes from one section is a mistake, and is cut short.
const MOST: i64 = 1_000;

impl Reader<'_> {
    /// Every group, in the order supervisord keeps them: by priority, then as written.
    pub fn groups(&mut self, daemon: &Daemon) -> Vec<Group> {
        let sections = self.parser.sections.clone();
        let mut grouped = BTreeSet::new();
        let mut groups = Vec::new();
        for section in &sections {
            if let Some(name) = section.name.strip_prefix(b"group:") {
                groups.extend(self.group(section, name, daemon, &mut grouped));
            }
        }
        for role in [Role::Program, Role::EventListener, Role::FastCgi] {
            for section in sections
                .iter()
                .filter(|section| !grouped.contains(&section.name))
            {
                if let Some(name) = section.name.strip_prefix(prefix(role)) {
                    groups.extend(self.single(section, name, role, daemon));
                }
            }
        }
        groups.sort_by_key(|group| group.priority);
        groups
    }

    fn group(
        &mut self,
        section: &Section,
        name: &[u8],
        daemon: &Daemon,
        grouped: &mut BTreeSet<Vec<u8>>,
    ) -> Option<Group> {
        let name = self.name(section, name)?;
        let names = self.names();
        let programs = self.option(section, "programs", &names);
        let mut processes = Vec::new();
        for program in programs.iter().flat_map(|found| values::list(&found.value)) {
            let found = [Role::Program, Role::FastCgi].into_iter().find_map(|role| {
                Some((
                    role,
                    self.parser
                        .section(&[prefix(role), &program].concat())?
                        .clone(),
                ))
            });
            let Some((role, section_of)) = found else {
                let message = format!(
                    "the group names a program that is nowhere: {}",
                    values::text(&program)
                );
                self.errors
                    .push(Error::at(Kind::Syntax, &section.source, message));
                continue;
            };
            grouped.insert(section_of.name.clone());
            processes.extend(self.processes(&section_of, &program, &name, role, daemon));
        }
        let priority = self.typed(section, "priority", &names, 999, values::integer);
        Some(Group {
            name,
            priority,
            processes,
            source: section.source.clone(),
        })
    }

    fn single(
        &mut self,
        section: &Section,
        name: &[u8],
        role: Role,
        daemon: &Daemon,
    ) -> Option<Group> {
        let group = self.name(section, name)?;
        let names = self.names();
        let default = if role == Role::EventListener { -1 } else { 999 };
        let priority = self.typed(section, "priority", &names, default, values::integer);
        let processes = self.processes(section, name, &group, role, daemon);
        Some(Group {
            name: group,
            priority,
            processes,
            source: section.source.clone(),
        })
    }

    fn name(&mut self, section: &Section, name: &[u8]) -> Option<String> {
        values::name(name)
            .map_err(|why| {
                self.errors
                    .push(Error::at(Kind::Syntax, &section.source, why));
            })
            .ok()
    }

    fn processes(
        &mut self,
        section: &Section,
        program: &[u8],
        group: &str,
        role: Role,
        daemon: &Daemon,
    ) -> Vec<Process> {
        let Some(program) = self.name(section, program) else {
            return Vec::new();
        };
        let mut names = self.names();
        let text = |value: &str| Value::Text(value.as_bytes().to_vec());
        names.insert(b"program_name".to_vec(), text(&program));
        names.insert(b"group_name".to_vec(), text(group));
        names.insert(b"host_node_name".to_vec(), text(&self.surroundings.host));
        let count = self
            .typed(section, "numprocs", &names, 1, values::integer)
            .clamp(0, MOST);
        let first = self.typed(section, "numprocs_start", &names, 0, values::integer);
        let form = self
            .parser
            .get(section, "process_name")
            .map_or(b"%(program_name)s".to_vec(), |entry| entry.value);
        if count > 1 && !form.windows(14).any(|part| part == b"%(process_num)") {
            let message = "process_name must hold %(process_num) when numprocs is more than 1";
            self.errors
                .push(Error::at(Kind::Syntax, &section.source, message));
            return Vec::new();
        }
        let template = self.template(section, &program, group, role, &names);
        let mut processes = Vec::new();
        for number in first..first.saturating_add(count) {
            names.insert(b"process_num".to_vec(), Value::Number(number));
            names.insert(b"numprocs".to_vec(), Value::Number(count));
            let mut process = template.clone();
            if self
                .one(section, &form, daemon, &mut names, &mut process)
                .is_some()
            {
                processes.push(process);
            }
        }
        processes
    }

    /// What all processes of a section share.
    fn template(
        &mut self,
        section: &Section,
        program: &str,
        group: &str,
        role: Role,
        names: &Names,
    ) -> Process {
        let output = Output {
            log: Log::Auto,
            syslog: false,
            maxbytes: 50 * 1024 * 1024,
            backups: 10,
            source: section.source.clone(),
            explicit: false,
        };
        Process {
            group: group.to_owned(),
            name: program.to_owned(),
            program: program.to_owned(),
            role,
            command: String::new(),
            directory: None,
            user: self
                .option(section, "user", names)
                .map(|found| values::text(&found.value)),
            priority: self.typed(section, "priority", names, 999, values::integer),
            autostart: self.typed(section, "autostart", names, true, values::boolean),
            startsecs: self.typed(section, "startsecs", names, 1, values::count),
            stopwaitsecs: self.typed(section, "stopwaitsecs", names, 10, values::count),
            environment: Vec::new(),
            redirect_stderr: self.typed(section, "redirect_stderr", names, false, values::boolean),
            stdout: output.clone(),
            stderr: output,
            source: section.source.clone(),
        }
    }

    /// One process of a section: everything that may depend on its number.
    fn one(
        &mut self,
        section: &Section,
        form: &[u8],
        daemon: &Daemon,
        names: &mut Names,
        process: &mut Process,
    ) -> Option<()> {
        self.environment_of(section, names, process);
        match expand(form, names).map_err(|fault| fault.to_string()) {
            Ok(name) => process.name = values::text(&name),
            Err(why) => {
                self.errors.push(Error::at(
                    Kind::Unresolved,
                    &section.source,
                    format!("process_name: {why}"),
                ));
                return None;
            }
        }
        let base = daemon
            .directory
            .clone()
            .unwrap_or_else(|| self.surroundings.cwd.clone());
        let directory = self.option(section, "directory", names);
        process.directory = directory.map(|found| values::normal(self.files, &found.value, &base));
        process.stdout = self.output(section, "stdout", names, &base, &process.stdout)?;
        process.stderr = self.output(section, "stderr", names, &base, &process.stderr)?;
        if process.redirect_stderr {
            process.stderr.log = Log::None;
        }
        match self.option(section, "command", names) {
            Some(found) => process.command = values::text(&found.value),
            None => self.errors.push(Error::at(
                Kind::Syntax,
                &section.source,
                "the program has no usable `command`",
            )),
        }
        Some(())
    }

    fn environment_of(&mut self, section: &Section, names: &mut Names, process: &mut Process) {
        process.environment = self.common.clone();
        let Some(entry) = self.parser.get(section, "environment") else {
            return;
        };
        let pairs = expand(&entry.value, names)
            .map_err(|fault| fault.to_string())
            .and_then(|text| shlex::pairs(&text));
        match pairs {
            Ok(pairs) => {
                names.extend(pairs.iter().map(|(name, value)| env_name(name, value)));
                for (name, value) in pairs {
                    let name = values::text(&name);
                    process.environment.retain(|(other, _)| *other != name);
                    process.environment.push((name, OsString::from_vec(value)));
                }
            }
            Err(why) => self.errors.push(Error::at(
                Kind::Syntax,
                &entry.source,
                format!("environment: {why}"),
            )),
        }
    }

    /// `stdout_logfile` and its companions. The name is filled in twice, as supervisord does;
    /// `None` when that fails.
    fn output(
        &mut self,
        section: &Section,
        stream: &str,
        names: &Names,
        base: &Path,
        default: &Output,
    ) -> Option<Output> {
        let key = |what: &str| format!("{stream}_{what}");
        let mut output = default.clone();
        if let Some(entry) = self.parser.get(section, &key("logfile")) {
            let twice = expand(&entry.value, names).and_then(|once| expand(&once, names));
            match twice {
                Ok(name) => output.log = values::logfile(self.files, &name, base),
                Err(fault) => {
                    self.fault(&entry.source, &key("logfile"), &fault);
                    return None;
                }
            }
            output.source = entry.source;
            output.explicit = true;
        }
        output.maxbytes = self.typed(
            section,
            &key("logfile_maxbytes"),
            names,
            output.maxbytes,
            values::byte_size,
        );
        output.backups = self.typed(
            section,
            &key("logfile_backups"),
            names,
            output.backups,
            values::count,
        );
        output.syslog = self.typed(section, &key("syslog"), names, false, values::boolean);
        if output.log == Log::Syslog {
            output.log = Log::None;
            output.syslog = true;
        }
        Some(output)
    }
}

fn prefix(role: Role) -> &'static [u8] {
    match role {
        Role::Program => b"program:",
        Role::EventListener => b"eventlistener:",
        Role::FastCgi => b"fcgi-program:",
    }
}

/// The name that an AUTO log has, up to its random part: `NAME-stdout---IDENTIFIER-` in
/// `childlogdir`.
#[must_use]
pub fn auto_prefix(daemon: &Daemon, process: &Process, stream: &str) -> (PathBuf, String) {
    (
        daemon.childlogdir.clone(),
        format!("{}-{stream}---{}-", process.name, daemon.identifier),
    )
}
