"""The rules of the configuration file as one text: every key, its permitted values and its default.

This module has names, ranges and defaults; `config` interprets the rules. The first line of a section is the name of an
object, or `config` for the whole file. The other lines are `key rule =default`, the default as JSON. A key without a
default is required, unless its rule is a choice of words: then the first word is the default. With the default `none`,
a key that is not in the file is left out, which saves memory; the code that reads it has the default. A line with a
single word includes the section of that name. Error messages show a rule as it is here; `tools.cli.check_config`
explains it in full. Rules:

    a|b|1..9        one of these words, or a number in this range, an integer unless the low end has a decimal point;
    `false` and `true` are JSON's text 1..9       a string of this many bytes; `secret`: wrapped in a `Secret`;
    `secret-wpa`: a secret for WPA; `port`: may be a number in the file; `id`: likewise, of letters, digits, - and _
    only; ip, host[:port], ip[:port], https://host[:port]: an address; `mac`: a MAC address list 1..9 rule  a list of
    this many items object          an object with the section of the key's name (remark)        for the reader only
    $boards $outputs $inputs $analog    facts about the chip, see `firmware/boards`: its name and those of its kits;
    GPIOs that can be outputs; these and the input-only ones; those of ADC1 (Wi-Fi uses ADC2)

If the chosen word is the name of a section, the keys of that section are added to the object; a key that is then there
twice must satisfy both rules. Units are in the key names; temperatures are in degrees Celsius, illuminance in lux.
Times are at most four days, because a `Timer` counts to five.
"""

RULES = """

config
$schema text 1..256 =none
version 1 =1
name text 1..32 ="device"
board $boards =none
wifi object =null
lan object =null
time object ={}
cloud object ={}
sensors list 0..8 object =[]
outputs list 0..16 object =[]
buttons list 0..8 object =[]
led object =null
safety object ={}
watchdog_s 0|10..600 =60
log object ={}
update object =null
portal object =null

wifi
networks list 1..5 object
hostname id 1..32 ="realer-device"
dns list 0..3 ip[:port] 7..21 =[]
country id 2 =null
power_save false|true =null

networks
ssid text 1..32
password secret-wpa 0|8..64 (64 are hex digits) =""
bssid mac 17 (as 24:0a:c4:00:00:01) =null
fixed
dns ip 7..15 =null

lan
hostname id 1..32 ="realer-device"
fixed
dns list 0..3 ip[:port] 7..21 =[]

fixed
ip ip 7..15 =null
netmask ip 7..15 ="255.255.255.0"
gateway ip 7..15 =null

time
servers list 1..4 host[:port] 1..128 =["pool.ntp.org","time.cloudflare.com"]
zone text 4..64 =none

cloud
api realer|auto|bootstrap|realino|thinger
ca_files list 1..4 text 1..64
probe_s 5..3600 =60

auto
account

bootstrap
account

realer
account

realino
account

account
transport https|auto|mqtt
base_url https://host[:port] 9..128 (http shows the secret) ="https://api.therealer.com"
device_id id 1..64
client_id id 1..64
client_secret secret 8..256
basic_auth plain|form ="plain"
poll_s 2..3600 =10

thinger
transport iotmp
host host[:port] 1..128 ="iot.thinger.io"
user id 1..32
device_id id 1..32
credential secret 6..255

item
pin_port port 1..32
name text 1..32 ="unnamed"

gpio
gpio $outputs

led
gpio
active high|low

outputs
item
led
boot off|on
safe off|on|hold|-50.0..150
min_on_s 0..345600 =0
max_on_s 0..345600 =0
interlock text 1..32 =null
interlock_wait_ms 0..60000 =none
after_lapse resume|wait
mode switch|setpoint|pwm|pulse|cover

switch
safe off|on|hold
min_off_s 0..345600 =0
schedule list 1..28 object =none

schedule
days daily|weekdays|weekend|mo|tu|we|th|fr|sa|su
hour 0..23
minute 0..59 =0
value -50.0..150

sensors
item
heartbeat_s 10..86400 =300
keep false|true =false
cloud_kind text 1..32 =none
kind thermistor|ldr_sensor|analog|digital|ds18b20|dht22|dht11|sht3x|bme280|counter (required)

divider
gpio $analog
divider_ohm 100.0..1e6 =10000
side low|high
supply_mv 1000.0..3600 =3300
period_s 1..3600 =5
samples 1..15 =5

humidity
item
cloud_kind text 1..32 =none
deadband 0.0..100 =1
min 0.0..100 =0
max 0.0..100 =100

buttons
gpio $inputs
toggles port 1..32
active low|high
pull up|down|none
debounce_ms 5..500 =30
mode toggle|follow|momentary

toggle
opens_portal false|true =false
factory_reset false|true =false

safety
silence_s 0..86400 =300

log
level info|debug|warning|error

update
pin_port port 1..32
url https://host[:port] 9..128
folder text 1..64 ="/firmware"
key secret 16..64
prove_s 5..3600 =60

portal
password secret 8..63
minutes 1..60 =10
wait_s 5..3600 =60

"""

KINDS = "firmware."
"""The package that contains `sensors` and `outputs`, whose modules have the sections of the kinds. On a board these are
in RULES, and this is empty (`tools/build/bundler.py`)."""


def text_with(head):
    """Return the text that contains the section that begins with `head`."""
    if KINDS and head not in RULES:
        for key, folder in (("\nkind ", "sensors."), ("\nmode ", "outputs.")):
            words = RULES[RULES.find(key) + len(key) :].split("\n", 1)[0]
            for word in words.split(" ")[0].split("|"):
                if "\n\n%s\n" % word in RULES:
                    continue
                text = __import__(KINDS + folder + word, None, None, ("RULES",)).RULES
                if head in text:
                    return text
    return RULES
