# fish completion for svc-cycle

complete -c svc-cycle -f

# The subcommand that has been typed, or none.
function __fish_svc_cycle_which
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case -f --file -c --config --only -o --output --timeout --lock-wait --journal --trust --color --ansible-args --on-failure --command-timeout
                set skip yes
            case start stop restart reload status check cycle recover
                echo $word
                return
        end
    end
    echo none
end

# It is one of these, and what stands after -- has not begun.
function __fish_svc_cycle_in
    contains -- (__fish_svc_cycle_which) $argv; and not __fish_svc_cycle_runs
end

function __fish_svc_cycle_runs
    contains -- (__fish_svc_cycle_which) cycle; and contains -- -- (commandline -opc)
end

# What fish offers for the command after --.
function __fish_svc_cycle_rest
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- -- $words)]
    complete -C "$(string join ' ' -- (string escape -- $words) (commandline -ct))"
end

complete -c svc-cycle -n '__fish_svc_cycle_in none' -a start -d 'Start what isn\'t running, and wait until it is ready'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -a stop -d 'Stop, and wait until every process is gone'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -a restart -d 'Stop all in reverse order, then start all'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -a reload -d 'Reload, and prove that it took'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -a status -d 'Say what runs; exit status 1 unless everything does'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -a check -d 'As status, and ask the probes and expectations too'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -a cycle -d 'Stop, run COMMAND, and start what ran before, whatever happens'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -a recover -d 'Start what an interrupted run left down'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in none' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l reload-units -d 'Have systemd read unit files that changed on disk first (daemon-reload)'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in start' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in stop' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l rolling -d 'One member after another, each ready before the next'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l reload-units -d 'Have systemd read unit files that changed on disk first (daemon-reload)'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in restart' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in reload' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in status' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in check' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l on-failure -r -f -a 'start leave-down' -d 'What to do when COMMAND fails: start is the default'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l command-timeout -r -f -d 'End COMMAND after this time, and count it as failed'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l reload-units -d 'Have systemd read unit files that changed on disk first (daemon-reload)'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in cycle' -s V -l version -d 'Print the version'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s f -l file -r -F -d 'Read the services from FILE (TOML or JSON, - for standard input)'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s c -l config -r -F -d 'supervisord\'s or compose\'s own configuration, for services named without -f'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l only -r -f -d 'Only the services whose name matches'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l diff -d 'Report what changes, line by line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s v -l verbose -d 'Report details, too'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n '__fish_svc_cycle_in recover' -s V -l version -d 'Print the version'
complete -c svc-cycle -n __fish_svc_cycle_runs -a '(__fish_svc_cycle_rest)'
