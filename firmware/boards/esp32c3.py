"""The ESP32-C3. `tools/boards.py` explains each line.

Sources: ESP32-C3 Series Datasheet (pins, strapping pins, levels at reset; GPIO 11 feeds the flash chip); ESP-IDF
programming guide for the ESP32-C3, "GPIO & RTC GPIO" (SPI0/1 on 12 to 17, USB-JTAG on 18 and 19) and "Analog to Digital
Converter" (ADC1 on 0 to 4, 0 to 2500 mV); MicroPython's `ports/esp32/machine_pin.h`; ESP32-C3-DevKitM-1 user guide (its
RGB LED is a WS2812). The manufacturer of the SuperMini has no page about it: its blue LED is on GPIO 8, active low.
Nothing here was measured.
"""

PROFILE = """
name ESP32-C3
outputs 0..10
input_only
analog 0..4
adc_max_mv 2500
strapping 2|8|9
leds 8
pins 0..13|20|21
flash 11..17
psram
usb 18|19
console 20|21
adc2 5
adc_linear_mv 150..2500
adc_reads_mv 0..2600
pulled_up 6|9
pulled_down
pwm 6 4
offset 0x0
image ESP32_GENERIC_C3
memory unmeasured
example pump=5 heater=7 room=0 daylight=1 button=10 led=4:high
kit esp32-c3-devkitm-1 led=ws2812:8 IO* TX=21 RX=20
kit esp32-c3-supermini led=8:low *
"""
