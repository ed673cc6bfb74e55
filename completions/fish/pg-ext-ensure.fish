# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_pg_ext_ensure_global_optspecs
    string join \n n/dry-run o/output= diff q/quiet v/verbose timeout= lock-wait= journal= color= ansible-args= h/help V/version
end

function __fish_pg_ext_ensure_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_pg_ext_ensure_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_pg_ext_ensure_using_subcommand
    set -l cmd (__fish_pg_ext_ensure_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -l timeout -d 'The longest the whole run may take' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -l diff -d 'Also report what changes, line by line'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -s v -l verbose -d 'Say more'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -s V -l version -d 'Print the version'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -f -a "ensure" -d 'Make it so; the name may be left out'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -f -a "elevate" -d 'Make ROLE a superuser while COMMAND runs, and never longer'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_needs_command" -f -a "recover" -d 'Take back what a killed `elevate` could not'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -s d -l dsn -d 'How to connect, as the application: a libpq connection string or URI' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l service -d 'A section of the service file' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l db -d 'A database, instead of the connection\'s own' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l db-exclude -d 'Of all databases, not these' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l spec -d 'Read what is needed from FILE, TOML or JSON' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l admin -d 'Who does what the application\'s role may not do' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l lock-timeout -d 'How long to wait for locks in the database' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l statement-timeout -d 'The longest one statement may take' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l absent -d 'An extension that shall not be there' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l timeout -d 'The longest the whole run may take' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l all-dbs -d 'Every database that takes connections, but no template'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l cascade -d 'Also create what an extension requires; also drop what depends on one'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l create-schema -d 'Create a schema that is named and missing'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l update -d 'Update to the default version what is installed and not pinned'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l fix-schema -d 'Move an extension that is in another schema than the one named'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -l diff -d 'Also report what changes, line by line'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -s v -l verbose -d 'Say more'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand ensure" -s V -l version -d 'Print the version'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l role -d 'The role' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l admin -d 'A superuser\'s connection' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l max -d 'The longest it may last' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l timeout -d 'The longest the whole run may take' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -l diff -d 'Also report what changes, line by line'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -s v -l verbose -d 'Say more'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand elevate" -s V -l version -d 'Print the version'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -l admin -d 'A superuser\'s connection' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -l timeout -d 'The longest the whole run may take' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -l diff -d 'Also report what changes, line by line'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -s v -l verbose -d 'Say more'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c pg-ext-ensure -n "__fish_pg_ext_ensure_using_subcommand recover" -s V -l version -d 'Print the version'
