# The image's entry point sources this script once, on a new database. It runs provision.sql, inserts the files that SOURCE lines name, and
# replaces each ${X_PASSWORD} by the password. (Newer versions of the mysql client switch its own SOURCE off.)
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
