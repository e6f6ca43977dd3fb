# Sourced once by the image's entry point, on a new database: runs provision.sql, with the files that its SOURCE lines name. (The mysql
# client's own SOURCE is switched off in newer versions.)
while IFS= read -r line; do
  if [[ $line == "SOURCE "* ]]; then
    file=${line#SOURCE }
    cat "${file%;}"
  else
    printf '%s\n' "$line"
  fi
done </labkit/provision.sql | docker_process_sql
