# fish completion for venv-sync

complete -c venv-sync -f

# The subcommand that has been typed, or none.
function __fish_venv_sync_which
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case -r --requirement -c --constraint --extraneous --allow --verify --vendor -o --output --timeout --lock-wait --journal --site --trust --color --ansible-args --python --installer --wheelhouse --keep --post-check --to
                set skip yes
            case check apply rollback list
                echo $word
                return
        end
    end
    echo none
end

# It is one of these, and what stands after -- has not begun.
function __fish_venv_sync_in
    contains -- (__fish_venv_sync_which) $argv; and not __fish_venv_sync_runs
end

function __fish_venv_sync_runs
    return 1
end

complete -c venv-sync -n '__fish_venv_sync_in none' -a check -d 'Say whether the environment is what the files ask for'
complete -c venv-sync -n '__fish_venv_sync_in none' -a apply -d 'Make the environment what the files ask for'
complete -c venv-sync -n '__fish_venv_sync_in none' -a rollback -d 'Go back to an earlier release'
complete -c venv-sync -n '__fish_venv_sync_in none' -a list -d 'List the releases and who runs them'
complete -c venv-sync -n '__fish_venv_sync_in none' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c venv-sync -n '__fish_venv_sync_in none' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c venv-sync -n '__fish_venv_sync_in none' -l diff -d 'Report what changes, line by line, too'
complete -c venv-sync -n '__fish_venv_sync_in none' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n '__fish_venv_sync_in none' -s v -l verbose -d 'Report details, too'
complete -c venv-sync -n '__fish_venv_sync_in none' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c venv-sync -n '__fish_venv_sync_in none' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c venv-sync -n '__fish_venv_sync_in none' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c venv-sync -n '__fish_venv_sync_in none' -l site -r -F -d 'Take what is not given from the site file FILE'
complete -c venv-sync -n '__fish_venv_sync_in none' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c venv-sync -n '__fish_venv_sync_in none' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c venv-sync -n '__fish_venv_sync_in none' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c venv-sync -n '__fish_venv_sync_in none' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n '__fish_venv_sync_in none' -s V -l version -d 'Print the version'
complete -c venv-sync -n '__fish_venv_sync_in check' -s r -l requirement -r -F -d 'A requirements file, as pip reads it'
complete -c venv-sync -n '__fish_venv_sync_in check' -s c -l constraint -r -F -d 'A constraints file'
complete -c venv-sync -n '__fish_venv_sync_in check' -l extraneous -r -f -a 'fail warn ignore' -d 'How to take what nothing asks for'
complete -c venv-sync -n '__fish_venv_sync_in check' -l allow -r -f -d 'A distribution that may be there, or come from the system'
complete -c venv-sync -n '__fish_venv_sync_in check' -l verify -r -f -a 'none size hash' -d 'How closely to look at installed files'
complete -c venv-sync -n '__fish_venv_sync_in check' -l vendor -r -f -a '(__fish_complete_directories)' -d 'A directory of distributions that belongs to the site'
complete -c venv-sync -n '__fish_venv_sync_in check' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c venv-sync -n '__fish_venv_sync_in check' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c venv-sync -n '__fish_venv_sync_in check' -l diff -d 'Report what changes, line by line, too'
complete -c venv-sync -n '__fish_venv_sync_in check' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n '__fish_venv_sync_in check' -s v -l verbose -d 'Report details, too'
complete -c venv-sync -n '__fish_venv_sync_in check' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c venv-sync -n '__fish_venv_sync_in check' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c venv-sync -n '__fish_venv_sync_in check' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c venv-sync -n '__fish_venv_sync_in check' -l site -r -F -d 'Take what is not given from the site file FILE'
complete -c venv-sync -n '__fish_venv_sync_in check' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c venv-sync -n '__fish_venv_sync_in check' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c venv-sync -n '__fish_venv_sync_in check' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c venv-sync -n '__fish_venv_sync_in check' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n '__fish_venv_sync_in check' -s V -l version -d 'Print the version'
complete -c venv-sync -n '__fish_venv_sync_in check' -f -a '(__fish_complete_directories)'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s r -l requirement -r -F -d 'A requirements file, as pip reads it'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s c -l constraint -r -F -d 'A constraints file'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l extraneous -r -f -a 'fail warn ignore' -d 'How to take what nothing asks for'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l allow -r -f -d 'A distribution that may be there, or come from the system'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l verify -r -f -a 'none size hash' -d 'How closely to look at installed files'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l vendor -r -f -a '(__fish_complete_directories)' -d 'A directory of distributions that belongs to the site'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l python -r -f -a '(__fish_complete_command)' -d 'The interpreter to build with'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l installer -r -f -a 'uv pip' -d 'What installs'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l wheelhouse -r -f -a '(__fish_complete_directories)' -d 'Install from the wheels in DIR and from nowhere else'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l keep -r -f -d 'How many releases to keep'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l adopt -d 'Take over an environment that is a plain directory or somebody else\'s link'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l post-check -r -f -d 'A module to import, or a command to run, in the new release before it goes live'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l diff -d 'Report what changes, line by line, too'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s v -l verbose -d 'Report details, too'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l site -r -F -d 'Take what is not given from the site file FILE'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c venv-sync -n '__fish_venv_sync_in apply' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n '__fish_venv_sync_in apply' -s V -l version -d 'Print the version'
complete -c venv-sync -n '__fish_venv_sync_in apply' -f -a '(__fish_complete_directories)'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l to -r -f -d 'The release to go back to'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l diff -d 'Report what changes, line by line, too'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -s v -l verbose -d 'Report details, too'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l site -r -F -d 'Take what is not given from the site file FILE'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -s V -l version -d 'Print the version'
complete -c venv-sync -n '__fish_venv_sync_in rollback' -f -a '(__fish_complete_directories)'
complete -c venv-sync -n '__fish_venv_sync_in list' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c venv-sync -n '__fish_venv_sync_in list' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c venv-sync -n '__fish_venv_sync_in list' -l diff -d 'Report what changes, line by line, too'
complete -c venv-sync -n '__fish_venv_sync_in list' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c venv-sync -n '__fish_venv_sync_in list' -s v -l verbose -d 'Report details, too'
complete -c venv-sync -n '__fish_venv_sync_in list' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c venv-sync -n '__fish_venv_sync_in list' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c venv-sync -n '__fish_venv_sync_in list' -l journal -r -F -d 'Append the report to FILE as one line, too'
complete -c venv-sync -n '__fish_venv_sync_in list' -l site -r -F -d 'Take what is not given from the site file FILE'
complete -c venv-sync -n '__fish_venv_sync_in list' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c venv-sync -n '__fish_venv_sync_in list' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c venv-sync -n '__fish_venv_sync_in list' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c venv-sync -n '__fish_venv_sync_in list' -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c venv-sync -n '__fish_venv_sync_in list' -s V -l version -d 'Print the version'
complete -c venv-sync -n '__fish_venv_sync_in list' -f -a '(__fish_complete_directories)'
