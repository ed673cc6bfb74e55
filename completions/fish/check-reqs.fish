complete -c check-reqs -s f -l file -d 'Read requirements from FILE, TOML or JSON; - is standard input' -r -F
complete -c check-reqs -l only -d 'Look only at this requirement, and at what it needs' -r -f
complete -c check-reqs -l tag -d 'Look only at requirements with this tag, and at what they need' -r -f
complete -c check-reqs -l set -d 'What ${NAME} stands for in requirements' -r -f
complete -c check-reqs -l wait -d 'Look again until all is met, at most this long' -r -f
complete -c check-reqs -l interval -d 'How long to rest between looks with --wait (default 2s)' -r -f
complete -c check-reqs -l each -d 'The longest one look may take (default 10s; 120s for django)' -r -f
complete -c check-reqs -s j -l jobs -d 'How many requirements to look at side by side (default: four for each processor)' -r -f
complete -c check-reqs -l fail-on -d 'From what on the exit status is 1 (default fail)' -r -f -a "fail\t''
warn\t''
unknown\t''"
complete -c check-reqs -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''
ndjson\t''
nagios\t''
tap\t''
junit\t''
prometheus\t''"
complete -c check-reqs -l explain -d 'Tell what a requirement means and how it is looked at' -r -f
complete -c check-reqs -l timeout -d 'The longest the whole run may take' -r -f
complete -c check-reqs -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c check-reqs -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c check-reqs -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c check-reqs -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c check-reqs -l list -d 'List the requirements and look at none'
complete -c check-reqs -l snapshot -d 'Write the requirements that this host meets; each NEED is a kind: python, dist@VENV, package, …'
complete -c check-reqs -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c check-reqs -l diff -d 'Also report what changes, line by line'
complete -c check-reqs -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c check-reqs -s v -l verbose -d 'Say more'
complete -c check-reqs -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c check-reqs -s V -l version -d 'Print the version'
