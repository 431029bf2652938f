-- Whether no worker is to be started on host $1.
select exists (select from sluice.drained_host where host = $1) as drained
