# Sourced once by the image's entry point, on a new database: runs provision.sql, with the files that its SOURCE lines name and the passwords
# that its ${X_PASSWORD} stand for. (The mysql client's own SOURCE is switched off in newer versions.)
while IFS= read -r line; do
  if [[ $line == "SOURCE "* ]]; then
    file=${line#SOURCE }
    cat "${file%;}"
  else
    for name in ADMIN_PASSWORD OBSERVER_PASSWORD CUSTOMER_SERVICE_PASSWORD ORDER_SERVICE_PASSWORD RELAY_PASSWORD; do
      line=${line//"\${$name}"/"${!name}"}
    done
    printf '%s\n' "$line"
  fi
done </labkit/provision.sql | docker_process_sql
