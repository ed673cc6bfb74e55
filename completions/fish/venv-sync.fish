# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_venv_sync_global_optspecs
    string join \n n/dry-run o/output= diff q/quiet v/verbose timeout= lock-wait= journal= color= ansible-args= h/help V/version
end

function __fish_venv_sync_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_venv_sync_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_venv_sync_using_subcommand
    set -l cmd (__fish_venv_sync_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c venv-sync -n "__fish_venv_sync_needs_command" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c venv-sync -n "__fish_venv_sync_needs_command" -l timeout -d 'The longest the whole run may take' -r -f
complete -c venv-sync -n "__fish_venv_sync_needs_command" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c venv-sync -n "__fish_venv_sync_needs_command" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c venv-sync -n "__fish_venv_sync_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c venv-sync -n "__fish_venv_sync_needs_command" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c venv-sync -n "__fish_venv_sync_needs_command" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -l diff -d 'Also report what changes, line by line'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -s v -l verbose -d 'Say more'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -s V -l version -d 'Print the version'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -f -a "check" -d 'Say whether the environment is what the files ask for'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -f -a "apply" -d 'Make the environment what the files ask for'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -f -a "rollback" -d 'Go back to an earlier release'
complete -c venv-sync -n "__fish_venv_sync_needs_command" -f -a "list" -d 'List the releases and who runs them'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s r -l requirement -d 'A requirements file, as pip reads it' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s c -l constraint -d 'A constraints file' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l extraneous -d 'How to take what nothing asks for' -r -f -a "fail\t''
warn\t''
ignore\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l allow -d 'A distribution that may be there, or come from the system' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l verify -d 'How closely to look at installed files' -r -f -a "none\t''
size\t''
hash\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l vendor -d 'A directory of distributions that belongs to the site' -r -f -a "(__fish_complete_directories)"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l timeout -d 'The longest the whole run may take' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -l diff -d 'Also report what changes, line by line'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s v -l verbose -d 'Say more'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand check" -s V -l version -d 'Print the version'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s r -l requirement -d 'A requirements file, as pip reads it' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s c -l constraint -d 'A constraints file' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l extraneous -d 'How to take what nothing asks for' -r -f -a "fail\t''
warn\t''
ignore\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l allow -d 'A distribution that may be there, or come from the system' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l verify -d 'How closely to look at installed files' -r -f -a "none\t''
size\t''
hash\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l vendor -d 'A directory of distributions that belongs to the site' -r -f -a "(__fish_complete_directories)"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l python -d 'The interpreter to build with' -r -f -a "(__fish_complete_command)"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l installer -d 'What installs' -r -f -a "uv\t''
pip\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l wheelhouse -d 'Install from the wheels in DIR and from nowhere else' -r -f -a "(__fish_complete_directories)"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l keep -d 'How many releases to keep' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l post-check -d 'A module to import, or a command to run, in the new release before it goes live' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l timeout -d 'The longest the whole run may take' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l adopt -d 'Take over an environment that is a plain directory or somebody else\'s link'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -l diff -d 'Also report what changes, line by line'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s v -l verbose -d 'Say more'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand apply" -s V -l version -d 'Print the version'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -l to -d 'The release to go back to' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -l timeout -d 'The longest the whole run may take' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -l diff -d 'Also report what changes, line by line'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -s v -l verbose -d 'Say more'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand rollback" -s V -l version -d 'Print the version'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -l timeout -d 'The longest the whole run may take' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -l diff -d 'Also report what changes, line by line'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -s v -l verbose -d 'Say more'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n "__fish_venv_sync_using_subcommand list" -s V -l version -d 'Print the version'
