# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_sync_service_global_optspecs
    string join \n database= h/help V/version
end

function __fish_sync_service_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_sync_service_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_sync_service_using_subcommand
    set -l cmd (__fish_sync_service_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c sync-service -n "__fish_sync_service_needs_command" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sync-service -n "__fish_sync_service_needs_command" -s V -l version -d 'Print version'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "check" -d 'Check configuration, database, server, clock and disk: one line each, exit status 0 or 1'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "status" -d 'Show per table what is sent, what waits and what failed; reads only, whether the service runs or not'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "failures" -d 'List the rows that failed, with the reason and the next try'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "retry" -d 'Try failed rows again at the next pass instead of at their time'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "prune" -d 'Delete from the device, now, the clips at the server that SYNC_PRUNE_AFTER_DAYS and SYNC_PRUNE_KEEP_FREE_MB let go'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "reset" -d 'Forget what was sent and send everything again; says what that costs and asks first'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c sync-service -n "__fish_sync_service_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sync-service -n "__fish_sync_service_using_subcommand check" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_using_subcommand check" -s h -l help -d 'Print help'
complete -c sync-service -n "__fish_sync_service_using_subcommand status" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_using_subcommand status" -l json -d 'One JSON object instead of text; its shape is stable (docs/operations.md)'
complete -c sync-service -n "__fish_sync_service_using_subcommand status" -l health -d 'Print one line and exit 0 when the service runs, makes progress and can read its database, else 1'
complete -c sync-service -n "__fish_sync_service_using_subcommand status" -s h -l help -d 'Print help'
complete -c sync-service -n "__fish_sync_service_using_subcommand failures" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_using_subcommand failures" -s h -l help -d 'Print help'
complete -c sync-service -n "__fish_sync_service_using_subcommand retry" -l table -d 'Only rows of this table' -r -f -a "evenement\t''
media\t''"
complete -c sync-service -n "__fish_sync_service_using_subcommand retry" -l id -d 'Only the row with this id' -r
complete -c sync-service -n "__fish_sync_service_using_subcommand retry" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_using_subcommand retry" -s h -l help -d 'Print help'
complete -c sync-service -n "__fish_sync_service_using_subcommand prune" -l after-days -d 'Clips recorded and sent so many days ago, instead of SYNC_PRUNE_AFTER_DAYS' -r
complete -c sync-service -n "__fish_sync_service_using_subcommand prune" -l keep-free-mb -d 'The oldest clips until so many megabytes are free, instead of SYNC_PRUNE_KEEP_FREE_MB' -r
complete -c sync-service -n "__fish_sync_service_using_subcommand prune" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_using_subcommand prune" -l dry-run -d 'Only list what would be deleted'
complete -c sync-service -n "__fish_sync_service_using_subcommand prune" -s h -l help -d 'Print help'
complete -c sync-service -n "__fish_sync_service_using_subcommand reset" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_using_subcommand reset" -l yes -d 'Do not ask'
complete -c sync-service -n "__fish_sync_service_using_subcommand reset" -s h -l help -d 'Print help'
complete -c sync-service -n "__fish_sync_service_using_subcommand completions" -l database -d 'The database, instead of LOCAL_DB_PATH' -r -F
complete -c sync-service -n "__fish_sync_service_using_subcommand completions" -s h -l help -d 'Print help'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "check" -d 'Check configuration, database, server, clock and disk: one line each, exit status 0 or 1'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "status" -d 'Show per table what is sent, what waits and what failed; reads only, whether the service runs or not'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "failures" -d 'List the rows that failed, with the reason and the next try'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "retry" -d 'Try failed rows again at the next pass instead of at their time'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "prune" -d 'Delete from the device, now, the clips at the server that SYNC_PRUNE_AFTER_DAYS and SYNC_PRUNE_KEEP_FREE_MB let go'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "reset" -d 'Forget what was sent and send everything again; says what that costs and asks first'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "completions" -d 'Print the completions of a shell'
complete -c sync-service -n "__fish_sync_service_using_subcommand help; and not __fish_seen_subcommand_from check status failures retry prune reset completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
