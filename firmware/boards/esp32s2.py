"""The ESP32-S2. `tools/boards.py` explains each line.

Sources: ESP32-S2 Series Datasheet (pins, strapping pins); ESP-IDF programming guide for the ESP32-S2, "GPIO & RTC GPIO"
(SPI0/1 on 26 to 32, GPIO 46 is input only with a fixed pull-down) and "Analog to Digital Converter" (0 to 2500 mV);
MicroPython's `ports/esp32/machine_pin.h`; LOLIN S2 mini page of wemos.cc. Nothing here was measured.
"""

PROFILE = """
name ESP32-S2
outputs 0..18|21|33..42|45
input_only 46
analog 1..10
adc_max_mv 2500
strapping 0|45|46
leds 15
pins 0..18|21|33..46
flash 27..32
psram 26
usb 19|20
console 43|44
adc2 11..20
adc_linear_mv 150..2500
adc_reads_mv 0..2600
pulled_up 0|39
pulled_down 45|46
pwm 8 4
offset 0x1000
image ESP32_GENERIC_S2
memory unmeasured
example pump=16 heater=17 room=1 daylight=2 button=18 led=15:high
kit lolin-s2-mini led=15:high *
"""
