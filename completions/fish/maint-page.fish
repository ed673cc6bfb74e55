# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_maint_page_global_optspecs
    string join \n n/dry-run o/output= diff q/quiet v/verbose timeout= lock-wait= journal= color= ansible-args= h/help V/version
end

function __fish_maint_page_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_maint_page_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_maint_page_using_subcommand
    set -l cmd (__fish_maint_page_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c maint-page -n "__fish_maint_page_needs_command" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_needs_command" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_needs_command" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_needs_command" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_needs_command" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_needs_command" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_needs_command" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_needs_command" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_needs_command" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_needs_command" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_needs_command" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "on" -d 'Put the page up, or announce it'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "off" -d 'Release the hold, and take the page away if it was the last'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "status" -d 'Say what state the page is in'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "wait" -d 'Wait until an announced page goes up'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "tick" -d 'Do what the clock says is due; for cron'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "during" -d 'Put the page up, run COMMAND, and take it away'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "verify" -d 'Prove over HTTP that the page is on or off'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "snippet" -d 'Print the configuration the web server needs'
complete -c maint-page -n "__fish_maint_page_needs_command" -f -a "bypass" -d 'Let somebody see the site behind the page'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l id -d 'Whose hold it is' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l start -d 'When it begins; now unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l for -d 'How long it is expected to last' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l until -d 'When it is expected to be over' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l warn -d 'How long before the start users are warned; from now unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l message -d 'What visitors are told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l title -d 'The page\'s heading' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l lang -d 'The language the message is written in, such as de or pt-BR' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l tz -d 'The time zone of clock times, typed and shown; the system\'s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l template -d 'A page of your own: DIR/page.html and what it needs' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l verify -d 'Prove it over HTTP at this URL' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l host -d 'The Host to ask for, where the URL names an address' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l connect -d 'Ask at this address, whatever the URL\'s name resolves to' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l within -d 'How long it may take to become so; 10s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l auto-off -d 'Let tick and wait take the page away at its end'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l force -d 'Rename a page or flag that maint-page did not put there aside'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l wait -d 'Wait for the start, then put the page up'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand on" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l id -d 'Whose hold it is' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l verify -d 'Prove it over HTTP at this URL' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l host -d 'The Host to ask for, where the URL names an address' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l connect -d 'Ask at this address, whatever the URL\'s name resolves to' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l within -d 'How long it may take to become so; 10s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l expect -d 'The status the site has to answer with when the page is off; any of 200 to 399 unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l count -d 'How many answers in a row have to be right when the page is off; 3 unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l all -d 'Release every hold, whosesoever it is'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l force -d 'Rename a page or flag that maint-page did not put there aside'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand off" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l id -d 'Only this hold; every one unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l on -d 'It is to be on'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l off -d 'It is to be off'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand status" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l id -d 'Only this hold; every one unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l verify -d 'Prove it over HTTP at this URL' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l host -d 'The Host to ask for, where the URL names an address' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l connect -d 'Ask at this address, whatever the URL\'s name resolves to' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l within -d 'How long it may take to become so; 10s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l force -d 'Rename a page or flag that maint-page did not put there aside'
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand wait" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l id -d 'Only this hold; every one unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l force -d 'Rename a page or flag that maint-page did not put there aside'
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand tick" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l id -d 'Whose hold it is' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l start -d 'When it begins; now unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l for -d 'How long it is expected to last' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l until -d 'When it is expected to be over' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l warn -d 'How long before the start users are warned; from now unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l message -d 'What visitors are told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l title -d 'The page\'s heading' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l lang -d 'The language the message is written in, such as de or pt-BR' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l tz -d 'The time zone of clock times, typed and shown; the system\'s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l template -d 'A page of your own: DIR/page.html and what it needs' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l on-failure -d 'What happens to the page if COMMAND fails' -r -f -a "keep\t''
off\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l drain -d 'How long requests under way get to finish before COMMAND begins; 1s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l verify -d 'Prove it over HTTP at this URL' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l host -d 'The Host to ask for, where the URL names an address' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l connect -d 'Ask at this address, whatever the URL\'s name resolves to' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l within -d 'How long it may take to become so; 10s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l expect -d 'The status the site has to answer with when the page is off; any of 200 to 399 unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l count -d 'How many answers in a row have to be right when the page is off; 3 unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l auto-off -d 'Let tick and wait take the page away at its end'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l force -d 'Rename a page or flag that maint-page did not put there aside'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l wait -d 'Wait for the start, then put the page up'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand during" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l id -d 'Only this hold; every one unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l host -d 'The Host to ask for, where the URL names an address' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l connect -d 'Ask at this address, whatever the URL\'s name resolves to' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l within -d 'How long it may take to become so; 10s unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l expect -d 'The status the site has to answer with when the page is off; any of 200 to 399 unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l count -d 'How many answers in a row have to be right when the page is off; 3 unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l on -d 'It is to be on'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l off -d 'It is to be off'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand verify" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand snippet" -s V -l version -d 'Print the version'
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l dir -d 'The directory the page and its flag live in' -r -f -a "(__fish_complete_directories)"
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l page -d 'Single-file mode: this one file is page and flag' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l ttl -d 'How long a new key is good for; 8h unless told' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l timeout -d 'The longest the whole run may take' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -l diff -d 'Also report what changes, line by line'
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -s v -l verbose -d 'Say more'
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c maint-page -n "__fish_maint_page_using_subcommand bypass" -s V -l version -d 'Print the version'
