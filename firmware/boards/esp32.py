"""The classic ESP32. `tools/boards.py` explains each line.

Sources: ESP32 Series Datasheet (pins, strapping pins, appendix "IO_MUX": levels at reset); ESP-IDF programming guide
for the ESP32, "GPIO & RTC GPIO" and "Analog to Digital Converter"; ESP32-WROOM-32 datasheet; ESP32-DevKitC V4 getting
started guide. The wired kits: their schematics, and the constructors in MicroPython's quick reference for the ESP32;
the pins of RMII are fixed (ESP-IDF programming guide, "Ethernet"). The range of the ADC's calibrated reading was
measured: it never falls below about 142 mV, and saturates at about 3060 mV, depending on the chip. A WROVER also needs
GPIO 16 and 17 for its PSRAM.
"""

PROFILE = """
name ESP32
outputs 0|2|4|5|12..19|21..23|25..27|32|33
input_only 34..39
analog 32..39
adc_max_mv 3050
strapping 0|2|5|12|15
leds 2
pins 0..23|25..27|32..39
flash 6..11
psram 16|17
usb
console 1|3
adc2 0|2|4|12..15|25..27
adc_linear_mv 150..2450
adc_reads_mv 142..3134
pulled_up 0|5|14|15
pulled_down 2|4|12|13
pwm 16 8
offset 0x1000
image ESP32_GENERIC
memory measured
example pump=16 heater=17 room=34 daylight=35 button=27 led=2:high
kit esp32-devkitc led=none IO* VP=36 VN=39 TX=1 RX=3 CLK=6 D0=7 D1=8 D2=9 D3=10 CMD=11
kit esp32-devkit-v1 led=2:high D* VP=36 VN=39 TX0=1 RX0=3 RX2=16 TX2=17
kit wt32-eth01 led=none lan=LAN8720:1:23:18:16:0:in taken=0|16|18|19|21..23|25..27 IO* TXD=17 RXD=5 CFG=32 485_EN=33
kit olimex-esp32-poe led=none lan=LAN8720:0:23:18:12:17:out taken=12|17..19|21..23|25..27 GPIO* BUT1=34
example wt32-eth01 pump=17 heater=33 room=35 daylight=36 button=14 led=2:high
example olimex-esp32-poe pump=16 heater=33 room=36 daylight=32 button=13 led=4:high
"""
