# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_svc_cycle_global_optspecs
    string join \n n/dry-run o/output= diff q/quiet v/verbose timeout= lock-wait= journal= color= ansible-args= h/help V/version
end

function __fish_svc_cycle_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_svc_cycle_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_svc_cycle_using_subcommand
    set -l cmd (__fish_svc_cycle_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "start" -d 'Start what isn\'t running, and wait until it is ready'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "stop" -d 'Stop, and wait until every process is gone'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "restart" -d 'Stop all in reverse order, then start all'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "reload" -d 'Reload, and prove that it took'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "status" -d 'Say what runs; exit status 1 unless everything does'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "check" -d 'As status, and ask the probes and expectations too'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "cycle" -d 'Stop, run COMMAND, and start what ran before, whatever happens'
complete -c svc-cycle -n "__fish_svc_cycle_needs_command" -f -a "recover" -d 'Start what a killed run left down'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s f -l file -d 'Read the services from FILE (TOML or JSON, - for standard input)' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s c -l config -d 'supervisord\'s or compose\'s own configuration, for services named without -f' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -l only -d 'Only the services whose name matches' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand start" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s f -l file -d 'Read the services from FILE (TOML or JSON, - for standard input)' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s c -l config -d 'supervisord\'s or compose\'s own configuration, for services named without -f' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -l only -d 'Only the services whose name matches' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand stop" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s f -l file -d 'Read the services from FILE (TOML or JSON, - for standard input)' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s c -l config -d 'supervisord\'s or compose\'s own configuration, for services named without -f' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l only -d 'Only the services whose name matches' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l rolling -d 'One member after another, each ready before the next'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand restart" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s f -l file -d 'Read the services from FILE (TOML or JSON, - for standard input)' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s c -l config -d 'supervisord\'s or compose\'s own configuration, for services named without -f' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -l only -d 'Only the services whose name matches' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand reload" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s f -l file -d 'Read the services from FILE (TOML or JSON, - for standard input)' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s c -l config -d 'supervisord\'s or compose\'s own configuration, for services named without -f' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -l only -d 'Only the services whose name matches' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand status" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s f -l file -d 'Read the services from FILE (TOML or JSON, - for standard input)' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s c -l config -d 'supervisord\'s or compose\'s own configuration, for services named without -f' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -l only -d 'Only the services whose name matches' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand check" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s f -l file -d 'Read the services from FILE (TOML or JSON, - for standard input)' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s c -l config -d 'supervisord\'s or compose\'s own configuration, for services named without -f' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l only -d 'Only the services whose name matches' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l on-failure -d 'What to do when COMMAND fails: start is the default' -r -f -a "start\t''
leave-down\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l command-timeout -d 'End COMMAND after this time, and count it as failed' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand cycle" -s V -l version -d 'Print the version'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -l timeout -d 'The longest the whole run may take' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -l diff -d 'Also report what changes, line by line'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -s v -l verbose -d 'Say more'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c svc-cycle -n "__fish_svc_cycle_using_subcommand recover" -s V -l version -d 'Print the version'
