"""The configuration file as tables: every key, what it may hold and its default.

Owns names, ranges and defaults; what a kind means is in `config_kinds`, what one part demands of another in
`config_checks`. A line is `key kind arguments... =default`, the default as JSON without blanks; the first of several
words is their default; without a default the key is required. Objects and lists have the table of their key's name, and
the word of a `variant` adds the table of its own name. Units are in the key names; temperatures are degrees Celsius,
illuminance lux. Times end at four days, which the wrapping millisecond counter measures with room to spare.
"""

TABLES = {
    "": """version int 1 1 =1
name text 1 32 ="device"
wifi object =null
time object ={}
cloud object ={}
outputs list 0 16 =[]
sensors list 0 8 =[]
buttons list 0 8 =[]
led object =null
safety object ={}
watchdog_s int 0 600 =60
log object ={}""",
    "wifi": """networks list 1 5
hostname ident 1 32 ="realer-device"
dns many 0 3 ip =[]""",
    "networks": """ssid text 1 32
password psk 8 64 =\"\"""",
    "time": """servers many 1 4 host =["pool.ntp.org","time.cloudflare.com"]""",
    "cloud": """api word realer
transport word https
base_url url 9 128 ="https://api.therealer.com"
device_id ident 1 64
client_id ident 1 64
client_secret secret 8 256
ca_files many 1 4 text 1 64
poll_s int 2 3600 =10
probe_s int 5 3600 =60""",
    "outputs": """pin_port port 1 32
name text 1 32 ="output"
gpio int 0 39
active word high low
boot word off on
safe safe off on hold
min_on_s int 0 345600 =0
min_off_s int 0 345600 =0
max_on_s int 0 345600 =0
interlock text 1 32 =null
after_lapse word resume wait
mode variant switch setpoint ="switch\"""",
    "setpoint": """sensor port 1 32
min num -50 150
max num -50 150
step num 0 100 =0
hysteresis num 0.05 20 =0.5
action word heat cool""",
    "sensors": """pin_port port 1 32
name text 1 32 ="sensor"
gpio int 0 39
divider_ohm num 100 1000000 =10000
side word low high
supply_mv num 1000 3600 =3300
period_s int 1 3600 =5
samples int 1 15 =5
heartbeat_s int 10 86400 =300
kind variant thermistor ldr_sensor""",
    "thermistor": """beta num 1000 10000 =3950
r25_ohm num 100 1000000 =10000
steinhart many 3 3 num -1 1 =null
offset_c num -20 20 =0
deadband num 0 50 =0.2
min num -60 200 =-40
max num -60 200 =125""",
    "ldr_sensor": """scale num 0.001 1e12 =12518931
exponent num -5 -0.01 =-1.405
deadband num 0 100000 =5
min num 0 200000 =0
max num 0 200000 =200000""",
    "buttons": """gpio int 0 39
toggles port 1 32
active word low high
pull word up down none
debounce_ms int 5 500 =30""",
    "led": """gpio int 0 39
active word high low""",
    "safety": "silence_s int 0 86400 =300",
    "log": "level word info debug warning error",
}
