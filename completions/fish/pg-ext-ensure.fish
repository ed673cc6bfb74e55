# fish completion for pg-ext-ensure

complete -c pg-ext-ensure -f

# The subcommand that has been typed, or none.
function __fish_pg_ext_ensure_which
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case -d --dsn --service --db --db-exclude --spec --from-migrations --admin --lock-timeout --statement-timeout --absent -o --output --timeout --lock-wait --journal --site --trust --color --ansible-args --role --max
                set skip yes
            case ensure elevate recover
                echo $word
                return
        end
    end
    echo none
end

# It is one of these, and what stands after -- has not begun.
function __fish_pg_ext_ensure_in
    contains -- (__fish_pg_ext_ensure_which) $argv; and not __fish_pg_ext_ensure_runs
end

function __fish_pg_ext_ensure_runs
    contains -- (__fish_pg_ext_ensure_which) elevate; and contains -- -- (commandline -opc)
end

# What fish offers for the command after --.
function __fish_pg_ext_ensure_rest
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- -- $words)]
    complete -C "$(string join ' ' -- (string escape -- $words) (commandline -ct))"
end

complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in none' -a ensure -d 'Ensure extensions; the word ensure may be left out'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in none' -a elevate -d 'Make ROLE a superuser while COMMAND runs, and never longer'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in none' -a recover -d 'Take back the right that a killed `elevate` left'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -s d -l dsn -r -f -d 'How to connect, as the application: a libpq connection string or URI'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l service -r -f -d 'A section of the service file'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l db -r -f -d 'A database in place of the connection\'s own'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l all-dbs -d 'All databases that take connections, without templates'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l db-exclude -r -f -d 'Leave out the databases whose names match GLOB'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l spec -r -F -d 'Read the wanted extensions from FILE, TOML or JSON'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l from-migrations -r -f -a '(__fish_complete_directories)' -d 'Ensure the extensions that the Django migrations below DIR create'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l admin -r -f -d 'The connection that does what the application\'s role may not do'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l create-cascade -d 'Also create the extensions that a wanted one requires'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l drop-cascade -d 'Drop the objects that depend on a dropped extension, too'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l create-schema -d 'Create the named schema where the schema is missing'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l update -d 'Update installed extensions without a wanted version to the default version'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l fix-schema -d 'Move an extension that is in another schema than the named one'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l lock-timeout -r -f -d 'How long to wait for locks in the database (default 5s)'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l statement-timeout -r -f -d 'The longest time that one statement may take (default 5m)'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l absent -r -f -d 'An extension that the databases shall not have'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l diff -d 'Also report the changes line by line'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -s v -l verbose -d 'Also report details'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l journal -r -F -d 'Also append the report to FILE, as one line'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l site -r -F -a '(for f in /etc/runbook-tools/sites/*.toml; string replace -r ".*/(.*)\.toml" "\$1" $f; end)' -d 'Take the options that are not given from the site file FILE'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -s h -l help -d 'Print help: -h a summary, --help everything'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in ensure none' -s V -l version -d 'Print the version'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l role -r -f -d 'The role that becomes a superuser'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l admin -r -f -d 'A superuser\'s connection'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l max -r -f -d 'The longest time that COMMAND may take'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l diff -d 'Also report the changes line by line'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -s v -l verbose -d 'Also report details'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l journal -r -F -d 'Also append the report to FILE, as one line'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l site -r -F -a '(for f in /etc/runbook-tools/sites/*.toml; string replace -r ".*/(.*)\.toml" "\$1" $f; end)' -d 'Take the options that are not given from the site file FILE'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -s h -l help -d 'Print help: -h a summary, --help everything'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in elevate' -s V -l version -d 'Print the version'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l admin -r -f -d 'A superuser\'s connection'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -s n -l dry-run -d 'Report what would change and change nothing'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -s o -l output -r -f -a 'json text' -d 'The form of the report'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l diff -d 'Also report the changes line by line'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -s v -l verbose -d 'Also report details'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l timeout -r -f -d 'End the whole run after this time, with exit status 75'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l lock-wait -r -f -d 'How long to wait for a lock that another process holds'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l journal -r -F -d 'Also append the report to FILE, as one line'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l site -r -F -a '(for f in /etc/runbook-tools/sites/*.toml; string replace -r ".*/(.*)\.toml" "\$1" $f; end)' -d 'Take the options that are not given from the site file FILE'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l trust -r -F -d 'Lend the input FILE the rights of the caller'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l color -r -f -a 'auto always never' -d 'When to use colour'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -l ansible-args -r -F -d 'Read the options from FILE, as Ansible writes it for a module'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -s h -l help -d 'Print help: -h a summary, --help everything'
complete -c pg-ext-ensure -n '__fish_pg_ext_ensure_in recover' -s V -l version -d 'Print the version'
complete -c pg-ext-ensure -n __fish_pg_ext_ensure_runs -a '(__fish_pg_ext_ensure_rest)'
