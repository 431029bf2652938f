-- What a clock in zone $1 shows at $2, without seconds.
select to_char(coalesce($2::timestamptz, now()) at time zone $1, 'YYYY-MM-DD"T"HH24:MI') as local
